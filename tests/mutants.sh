#!/usr/bin/env bash
# Mutation tests of the rules: which changes in them would no test notice?
#
#   tests/mutants.sh                                  all of the rules
#   tests/mutants.sh --file src/domain/recusal.rs     instead of the list below; any argument of cargo mutants
#
# cargo mutants says what can be changed; `mutants/` compiles all of that into a package of the rules at once, and runs
# its tests with each in turn. A build for each, and the half hour that the tests of the whole take, would make days.
set -euo pipefail
cd "$(dirname "$0")/.."
project="$PWD"
package="$(tests/rules.sh "${TMPDIR:-/tmp}/irp-mutants")"

# The model with fewer states, and the simulation with fewer seeds: a mutant's tests take seconds. So early in the
# model not everything has happened yet that should be possible; only what must never happen is looked for.
only_never='for (name, _) in checker.discoveries() { assert_eq!(checker.discovery_classification(name).to_string(), "example", "{name}"); }'
sed -e 's/^const DEPTH: usize = .*/const DEPTH: usize = 9;/' -e "s/^    checker.assert_properties();/    $only_never/" \
    "$project/tests/it/model.rs" > "$package/tests/it/model.rs"
sed -i 's/^const SEEDS: u64 = .*/const SEEDS: u64 = 15;/' "$package/tests/it/sim.rs"
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
(cd "$package" && cargo mutants --list --json "${files[@]}" "$@") > "$package/mutants.json"
cargo run --quiet --release --locked --manifest-path "$project/tests/mutants/Cargo.toml" -- "$package" "$package/mutants.json"
