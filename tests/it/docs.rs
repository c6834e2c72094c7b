//! The documents against the code.

use std::fs;
use std::path::Path;

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
