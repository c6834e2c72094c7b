# `make test` does everything on a fresh Debian or Ubuntu machine that has only Rust.
# CARGO_TARGET_DIR is honoured.

.PHONY: sandbox test crash sim mutants lint docs deny

sandbox:
	cargo run -- sandbox

# Two tests at a time: many of them start programs and bring a crowd of their own.
test:
	tests/tools.sh
	RUST_BACKTRACE=0 RUST_TEST_THREADS=2 cargo test --workspace --locked

# The program killed in each part of a whole incident, in the scenes that take minutes, and before the record of each
# removal: what takes too long for every test run.
crash:
	tests/tools.sh
	RUST_TEST_THREADS=1 cargo test --workspace --locked --test it -- --ignored

# The simulation with many more seeds than a test run has; another number in IRP_SIM_SEEDS.
sim:
	IRP_SIM_SEEDS=$${IRP_SIM_SEEDS:-10000} cargo test --release --locked -p irp-rules sim:: -- --nocapture

# Changes in the rules that no test notices. MUTANTS='--file src/domain/recusal.rs' for one file.
mutants:
	tests/mutants.sh $(MUTANTS)

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p irp --lib --bins --no-default-features --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

deny:
	command -v cargo-deny >/dev/null || cargo install cargo-deny --locked --version 0.20.2
	cargo deny check bans licenses sources
