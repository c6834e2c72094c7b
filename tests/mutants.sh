#!/usr/bin/env bash
# Mutation tests of the rules: which changes in them would no test notice?
#
#   tests/mutants.sh                                  all of the rules
#   tests/mutants.sh --file src/domain/recusal.rs     instead of the list below; any argument of cargo mutants
#   MUTANTS_PREPARE=1 tests/mutants.sh                only makes the package, and says where it is
#
# The whole crate links the AWS SDK, which would cost minutes for each mutant. So a package is made of the same
# sources without what needs it: the rules, the ports, the engine, and the tests that run on them alone.
set -euo pipefail
cd "$(dirname "$0")/.."
project="$PWD"

package="${MUTANTS_DIR:-${TMPDIR:-/tmp}/irp-mutants}"
# What is built there stays, so that the next run starts at once.
rm -rf "$package/src" "$package/tests" "$package/playbooks"
mkdir -p "$package/src/config" "$package/src/adapters" "$package/tests/it"
cp -r playbooks Cargo.lock "$package/"
cp -r src/domain.rs src/domain src/ports.rs src/engine.rs src/engine "$package/src/"
cp src/adapters/memory.rs "$package/src/adapters/"
cp src/config/organisation.rs "$package/src/config/"
cp -r tests/it/sim.rs tests/it/sim "$package/tests/it/"

cat > "$package/src/lib.rs" <<'RUST'
//! The rules and the engine, for mutation tests.
pub mod adapters {
    pub mod memory;
}
pub mod config;
pub mod domain;
pub mod engine;
pub mod ports;
RUST
{
    echo 'use std::fmt;'
    echo 'pub mod organisation;'
    echo 'pub use organisation::{Account, Organisation};'
    sed -n '/^\/\/\/ Everything wrong/,/^impl std::error::Error for Faults/p' src/config.rs
} > "$package/src/config.rs"

printf '%s\n' '#![allow(clippy::unwrap_used)]' 'mod model;' 'mod sim;' 'mod world;' > "$package/tests/it/main.rs"
# The model with fewer states, and the simulation with fewer seeds: a mutant's tests take seconds. So early in the
# model not everything has happened yet that should be possible; only what must never happen is looked for.
only_never='for (name, _) in checker.discoveries() { assert_eq!(checker.discovery_classification(name).to_string(), "example", "{name}"); }'
sed -e 's/^const DEPTH: usize = .*/const DEPTH: usize = 9;/' -e "s/^    checker.assert_properties();/    $only_never/" \
    tests/it/model.rs > "$package/tests/it/model.rs"
sed -i 's/^const SEEDS: u64 = .*/const SEEDS: u64 = 15;/' "$package/tests/it/sim.rs"
sed -n '/^pub(crate) const [A-Z]*: &str = "/p' tests/it/world.rs > "$package/tests/it/world.rs"

{
    printf '%s\n' '[package]' 'name = "irp"' 'version = "0.0.0"' 'edition = "2024"' 'publish = false' 'autotests = false'
    printf '\n[dependencies]\n'
    for crate in async-trait chrono futures-util hex memchr rand serde serde_json serde_json_canonicalizer sha2 thiserror tokio toml tracing; do
        echo "$crate.workspace = true"
    done
    printf '\n[dev-dependencies]\nstateright.workspace = true\nproptest.workspace = true\n'
    printf '\n[[test]]\nname = "it"\npath = "tests/it/main.rs"\n'
    # What is built once is optimised; what is built for each mutant is built fast.
    printf '\n[profile.dev]\ndebug = false\n\n[profile.dev.package."*"]\nopt-level = 1\n'
    printf '\n[workspace]\n\n'
    sed -n '/^\[workspace.dependencies\]/,/^\[workspace.lints/p' Cargo.toml | sed '$d'
} > "$package/Cargo.toml"

if [ -n "${MUTANTS_PREPARE:-}" ]; then
    echo "$package"
    exit 0
fi
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --version 27.1.0

case " $* " in
*" --file "* | *" -f "*) files=() ;;
*)
    files=()
    for of in 'domain/approval' 'domain/incident' 'domain/policy' 'domain/recusal' 'engine'; do
        files+=(--file "src/$of.rs" --file "src/$of/**/*.rs")
    done
    ;;
esac
cd "$package"
cargo mutants --jobs 2 --output "${MUTANTS_OUTPUT:-$project/target}" "${files[@]}" "$@"
