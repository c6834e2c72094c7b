//! The documents against the code.

use std::fs;
use std::path::Path;

use irp::adapters::slack::scopes::SCOPES;
use irp::config::{Organisation, VARIABLES};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_variable_is_in_the_example_and_nothing_else_is() {
    let example = read(".env.example");
    let named: Vec<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect();
    for (name, _) in VARIABLES {
        assert!(named.contains(&name), ".env.example lacks {name}");
    }
    for name in named {
        assert!(VARIABLES.iter().any(|(n, _)| *n == name), ".env.example has {name}, which nothing reads");
    }
}

#[test]
fn every_variable_is_in_the_readme() {
    let readme = read("README.md");
    for (name, _) in VARIABLES {
        assert!(readme.contains(name), "README.md lacks {name}");
    }
}

#[test]
fn the_example_organisation_is_taken() {
    Organisation::parse(&read("irp.example.toml"), "irp.example.toml").unwrap();
}

#[test]
fn the_slack_manifests_ask_for_the_scopes_that_are_needed() {
    for path in ["manifests/slack/app-http.yaml", "manifests/slack/app-socket-mode.yaml"] {
        let manifest = read(path);
        let asked: Vec<&str> = manifest
            .lines()
            .map(str::trim)
            .skip_while(|line| *line != "bot:")
            .take_while(|line| *line != "settings:")
            .filter_map(|line| line.strip_prefix("- "))
            .collect();
        for scope in SCOPES {
            assert!(asked.contains(&scope), "{path} lacks {scope}");
        }
        for scope in asked {
            assert!(SCOPES.contains(&scope) || scope.starts_with("groups:"), "{path} asks for {scope}: for what?");
        }
    }
}
