//! Finds secret key material in what people type, so that it is never stored or repeated.

/// What stands where a secret stood.
pub const REMOVED: &str = "[secret removed]";

/// Length of an AWS secret access key.
const SECRET_KEY_CHARS: usize = 40;
/// A secret key of which a character or two were lost in copying is still as good as leaked.
const SECRET_KEY_CHARS_MIN: usize = 38;
/// A run of base64 at least this long is taken for a session token.
const SESSION_TOKEN_CHARS_MIN: usize = 100;
/// What stands for `/`, `+` and `=` in addresses and forms.
const ENCODED: [(&str, &str); 6] = [("%2F", "/"), ("%2f", "/"), ("%2B", "+"), ("%2b", "+"), ("%3D", "="), ("%3d", "=")];

/// A text with any secret access key or session token cut out, and whether there was one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scrubbed {
    /// The text that is safe to keep.
    pub text: String,
    /// Whether something was cut out. The person must be told to treat it as leaked.
    pub found: bool,
}

/// Cuts out what looks like a secret access key (40 characters of base64 that are not a hexadecimal
/// hash, alone or run together with a key id, a name or padding) or a session token (100 or more).
pub fn scrub(text: &str) -> Scrubbed {
    let text = ENCODED.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain));
    let is_key_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '=');
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let run_end = rest.find(|c| !is_key_char(c)).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(run_end);
        if let Some(kept) = without_secret(run) {
            out.push_str(&kept);
            found = true;
        } else {
            out.push_str(run);
        }
        let gap_end = tail.find(is_key_char).unwrap_or(tail.len());
        out.push_str(&tail[..gap_end]);
        rest = &tail[gap_end..];
    }
    Scrubbed { text: out, found }
}

/// What to keep of a run that holds a secret; `None` when it holds none. A key id or a name that the
/// secret is pasted to (`aws_secret_access_key=wJalr…`) is kept.
fn without_secret(run: &str) -> Option<String> {
    let key_id_end = (run.starts_with("AKIA") || run.starts_with("ASIA")).then_some(20).filter(|end| run.len() > *end);
    let (id, rest) = run.split_at(key_id_end.unwrap_or(0));
    let (names, value) = match rest.trim_end_matches('=').rsplit_once('=') {
        Some((names, value)) => (format!("{names}="), value),
        None => (String::new(), rest.trim_end_matches('=')),
    };
    let value = value.trim_start_matches('/');
    is_secret(value).then(|| format!("{id}{names}{REMOVED}"))
}

fn is_secret(run: &str) -> bool {
    if run.len() >= SESSION_TOKEN_CHARS_MIN {
        return true;
    }
    let has = |is: fn(&u8) -> bool| run.bytes().any(|b| is(&b));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    // Long names in mixed case are common; with digits in them they are not.
    let random = mixed && run.bytes().filter(u8::is_ascii_digit).count() >= 2;
    match run.len() {
        SECRET_KEY_CHARS => mixed,
        SECRET_KEY_CHARS_MIN.. => random,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn a_secret_key_is_cut_out_wherever_it_stands() {
        for (text, kept) in [
            (SECRET.to_owned(), REMOVED.to_owned()),
            (format!("open {SECRET}"), format!("open {REMOVED}")),
            (format!("AKIAIOSFODNN7EXAMPLE:{SECRET}!"), format!("AKIAIOSFODNN7EXAMPLE:{REMOVED}!")),
            (format!("aws_secret_access_key={SECRET}"), format!("aws_secret_access_key={REMOVED}")),
            (format!("“{SECRET}”"), format!("“{REMOVED}”")),
            (format!("AKIAIOSFODNN7EXAMPLE/{SECRET}"), format!("AKIAIOSFODNN7EXAMPLE{REMOVED}")),
            (format!("AKIAIOSFODNN7EXAMPLE{SECRET}"), format!("AKIAIOSFODNN7EXAMPLE{REMOVED}")),
            (format!("{SECRET}="), REMOVED.to_owned()),
            (format!("a=b={SECRET}"), format!("a=b={REMOVED}")),
            (SECRET.replace('/', "%2F"), REMOVED.to_owned()),
            (SECRET.replace('/', "%2f"), REMOVED.to_owned()),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfi9CYEXAMPLEKE".to_owned(), REMOVED.to_owned()),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfi9CYEXAMPLEK".to_owned(), REMOVED.to_owned()),
        ] {
            assert_eq!(scrub(&text), Scrubbed { text: kept, found: true }, "{text}");
        }
        assert!(scrub(&"FwoGZXIvYXdzE".repeat(12)).found);
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            "",
            "open AKIAIOSFODNN7EXAMPLE",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "arn:aws:iam::111122223333:user/deploy-bot",
            "arn:aws:iam::111122223333:role/TheVeryLongNameOfARoleThatSomebodyChoseForTheBuildPipeline",
            "a long sentence about a key that was found in a public repository, é",
        ] {
            assert_eq!(scrub(text), Scrubbed { text: text.to_owned(), found: false }, "{text}");
        }
    }
}
