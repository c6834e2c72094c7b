//! The rules of the house that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

/// A module and its floor. Each names only modules on lower floors, or its own.
const FLOORS: [(&str, u8); 12] = [
    ("domain", 0),
    ("ports", 1),
    ("config", 1),
    ("engine", 2),
    ("view", 2),
    ("intake", 2),
    ("telemetry", 2),
    ("adapters", 3),
    ("http", 4),
    ("workers", 4),
    ("boot", 5),
    ("cli", 6),
];

/// Pairs that stand beside each other on one floor, and may name each other.
const BESIDE: [(&str, &str); 2] = [("view", "intake"), ("workers", "http")];

/// Longest file, in lines, tests included.
const LINES_MAX: usize = 520;

fn sources(root: &str) -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "js" || e == "css") {
                out.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    let mut out = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root), &mut out);
    assert!(!out.is_empty(), "{root} has no sources");
    out
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

#[test]
fn a_module_names_only_modules_on_lower_floors() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (path, text) in sources("src") {
        let inside = path.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if ["lib", "main", "rules"].contains(&module) {
            continue;
        }
        let own = floor(module).unwrap_or_else(|| panic!("{module} has no floor"));
        for (at, _) in text.match_indices("crate::") {
            let named: String = text[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let Some(other) = floor(&named) else { continue };
            let beside = BESIDE.contains(&(module, named.as_str()));
            assert!(named == module || other < own || beside, "{}: names {named}", inside.display());
        }
    }
}

#[test]
fn the_rules_are_pure() {
    for (path, text) in sources("src/domain") {
        for banned in
            ["async fn", "tokio::", "aws_sdk", "slack_morphism", "redis::", "std::fs", "std::net", "Utc::now", "rand::"]
        {
            assert!(!text.contains(banned), "{}: has {banned}", path.display());
        }
    }
}

#[test]
fn an_sdk_is_named_by_its_adapter_only() {
    for (path, text) in sources("src") {
        let text_path = path.to_string_lossy().into_owned();
        for (sdk, homes) in [
            ("aws_sdk_", &["adapters/aws", "adapters/vault/s3"][..]),
            ("slack_morphism::", &["adapters/slack"]),
            ("use redis::", &["adapters/redis"]),
        ] {
            let at_home = homes.iter().any(|home| text_path.contains(home));
            assert!(!text.contains(sdk) || at_home, "{text_path}: names {sdk}");
        }
    }
}

#[test]
fn files_have_one_subject() {
    for root in ["src", "sandbox/src", "tests"] {
        for (path, text) in sources(root) {
            let lines = text.lines().count();
            assert!(lines <= LINES_MAX, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn the_sandbox_does_not_know_the_bot() {
    for (path, text) in sources("sandbox/src") {
        assert!(!text.contains("irp::"), "{}: names the bot", path.display());
    }
}

/// The emoji of a text: `:key:` on its own, before a space or at the end.
fn emoji(text: &str) -> Vec<&str> {
    let parts: Vec<&str> = text.split(':').collect();
    let named = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let alone = |at: &usize| {
        let begins = parts[at - 1].ends_with([' ', '(', '*']) || (*at == 1 && parts[0].is_empty());
        let ends = parts[at + 1].starts_with(' ') || (at + 2 == parts.len() && parts[at + 1].is_empty());
        begins && ends && named(parts[*at])
    };
    (1..parts.len().saturating_sub(1)).filter(alone).map(|at| parts[at]).collect()
}

#[test]
fn the_sandbox_draws_every_emoji_that_the_cards_have() {
    let drawn = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/page/mrkdwn.js")).unwrap();
    let mut seen = 0;
    for (path, text) in sources("src/view").into_iter().chain(sources("src/workers")) {
        let texts = text.split('"').skip(1).step_by(2);
        for name in texts.flat_map(emoji) {
            seen += 1;
            assert!(drawn.contains(&format!(" {name}: ")), "{}: the page does not draw :{name}:", path.display());
        }
    }
    assert!(seen > 50, "only {seen} were found");
}
