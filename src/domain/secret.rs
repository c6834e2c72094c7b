//! Finds secret key material in what people type, so that it is never stored or repeated.

/// What stands where a secret stood.
pub const REMOVED: &str = "[secret removed]";

/// Length of an AWS secret access key.
const SECRET_KEY_CHARS: usize = 40;
/// A run of base64 at least this long is taken for a session token.
const SESSION_TOKEN_CHARS_MIN: usize = 100;

/// A text with any secret access key or session token cut out, and whether there was one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scrubbed {
    /// The text that is safe to keep.
    pub text: String,
    /// Whether something was cut out. The person must be told to treat it as leaked.
    pub found: bool,
}

/// Cuts out what looks like a secret access key (40 characters of base64 that are not a hexadecimal
/// hash) or a session token (100 or more).
pub fn scrub(text: &str) -> Scrubbed {
    let is_key_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '=');
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    let mut rest = text;
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

/// What to keep of a run that holds a secret; `None` when it holds none. A name pasted with its value
/// (`aws_secret_access_key=wJalr…`) keeps its name.
fn without_secret(run: &str) -> Option<String> {
    if is_secret(run) {
        return Some(REMOVED.to_owned());
    }
    let (name, value) = run.split_once('=')?;
    is_secret(value).then(|| format!("{name}={REMOVED}"))
}

fn is_secret(run: &str) -> bool {
    if run.len() >= SESSION_TOKEN_CHARS_MIN {
        return true;
    }
    let hash = run.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mixed = run.bytes().any(|b| b.is_ascii_lowercase()) && run.bytes().any(|b| b.is_ascii_uppercase());
    run.len() == SECRET_KEY_CHARS && !hash && mixed
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
            "a long sentence about a key that was found in a public repository, é",
        ] {
            assert_eq!(scrub(text), Scrubbed { text: text.to_owned(), found: false }, "{text}");
        }
    }
}
