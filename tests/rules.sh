#!/usr/bin/env bash
# A package of the rules and the engine alone, with the tests that need nothing else: the unit tests, the model and the
# simulation. The whole crate links the AWS SDK, which takes minutes and stands in the way of a fast build.
# Prints its folder.
set -euo pipefail
cd "$(dirname "$0")/.."

package="${1:-${TMPDIR:-/tmp}/irp-rules}"
# What is built there stays, so that the next run starts at once.
rm -rf "$package/src" "$package/tests" "$package/playbooks"
mkdir -p "$package/src/adapters" "$package/tests/it"
cp -r playbooks Cargo.lock "$package/"
cp -r src/domain.rs src/domain src/ports.rs src/ports src/config.rs src/config src/engine.rs src/engine "$package/src/"
cp -r src/adapters/memory.rs src/adapters/memory "$package/src/adapters/"
cp -r tests/it/sim.rs tests/it/sim "$package/tests/it/"

cat > "$package/src/lib.rs" <<'RUST'
//! The rules and the engine.
pub mod adapters {
    pub mod memory;
}
pub mod config;
pub mod domain;
pub mod engine;
pub mod ports;
RUST

printf '%s\n' '#![allow(clippy::unwrap_used)]' 'mod model;' 'mod sim;' 'mod world;' > "$package/tests/it/main.rs"
cp tests/it/model.rs "$package/tests/it/"
sed -n '/^pub(crate) const [A-Z]*: &str = "/p' tests/it/world.rs > "$package/tests/it/world.rs"

{
    printf '%s\n' '[package]' 'name = "irp"' 'version = "0.0.0"' 'edition = "2024"' 'publish = false' 'autotests = false'
    printf '\n[dependencies]\n'
    for crate in async-trait chrono futures-util hex memchr rand secrecy serde serde_json serde_json_canonicalizer sha2 thiserror tokio toml tracing url; do
        echo "$crate.workspace = true"
    done
    printf '\n[dev-dependencies]\nstateright.workspace = true\nproptest.workspace = true\n'
    printf '\n[[test]]\nname = "it"\npath = "tests/it/main.rs"\n'
    # Run for minutes, and for every mutant.
    printf '\n[profile.dev]\ndebug = false\nopt-level = 1\n\n[profile.release]\ndebug-assertions = true\n'
    printf '\n[workspace]\n\n'
    sed -n '/^\[workspace.dependencies\]/,/^\[workspace.lints/p' Cargo.toml | sed '$d'
} > "$package/Cargo.toml"

echo "$package"
