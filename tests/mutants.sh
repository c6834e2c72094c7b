#!/usr/bin/env bash
# Mutation tests of the rules: which changes in them would no test notice?
#
#   tests/mutants.sh                                  all of the rules
#   tests/mutants.sh --file src/domain/recusal.rs     instead of the list below; any argument of cargo mutants
#
# cargo mutants says what can be changed; `mutants/` compiles all of that into a copy of the rules at once, and runs
# their tests with each in turn. A build for each, and the half hour that the tests of the whole take, would make days.
set -euo pipefail
cd "$(dirname "$0")/.."
project="$PWD"
copy="${TMPDIR:-/tmp}/irp-mutants"

# What is built there stays, so that the next run starts at once.
rm -rf "$copy/src" "$copy/tests" "$copy/playbooks"
mkdir -p "$copy/src/adapters" "$copy/tests"
cp -r playbooks Cargo.lock "$copy/"
cp -r src/{rules,domain,ports,config,engine}.rs src/{domain,ports,config,engine} "$copy/src/"
cp -r src/adapters/memory* "$copy/src/adapters/"
cp -r tests/rules "$copy/tests/"
rm "$copy/tests/rules/Cargo.toml"
# One package, with the unit tests.
{
    sed -e 's#^path = "../../#path = "#' -e 's#^path = "main.rs"#path = "tests/rules/main.rs"#' \
        -e 's/^test = false/test = true/' -e '/^\[lints\]/,$d' \
        tests/rules/Cargo.toml
    printf '[workspace]\n'
    sed -n '/^\[workspace.package\]/,/^\[workspace.lints/p' Cargo.toml | sed '$d'
    printf '[profile.test]\ndebug = false\nopt-level = 1\n'
} > "$copy/Cargo.toml"

# The model with fewer states, and the simulation with fewer seeds: a mutant's tests take seconds. So early in the
# model not everything has happened yet that should be possible; only what must never happen is looked for.
only_never='for (name, _) in checker.discoveries() { assert_eq!(checker.discovery_classification(name).to_string(), "example", "{name}"); }'
sed -i -e 's/^const DEPTH: usize = .*/const DEPTH: usize = 9;/' -e "s/^    checker.assert_properties();/    $only_never/" \
    "$copy/tests/rules/model.rs"
sed -i 's/^const SEEDS: u64 = .*/const SEEDS: u64 = 15;/' "$copy/tests/rules/sim.rs"
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --version 27.1.0

case " $* " in
*" --file "* | *" -f "*) files=() ;;
*)
    files=()
    for of in 'domain/approval' 'domain/incident' 'domain/policy' 'domain/recusal'; do
        files+=(--file "src/$of.rs" --file "src/$of/**/*.rs")
    done
    # The way from a claim to what has been read back, and who may be asked. The engine's other modules talk to AWS, and no test
    # here comes past.
    for of in '' /effects /people /rules /refusals; do
        files+=(--file "src/engine$of.rs")
    done
    ;;
esac
(cd "$copy" && cargo mutants --list --json "${files[@]}" "$@") > "$copy/mutants.json"
cargo run --quiet --release --locked --manifest-path "$project/tests/mutants/Cargo.toml" -- "$copy" "$copy/mutants.json"
