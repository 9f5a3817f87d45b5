# The few commands that a person types. `make` alone lists them.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test check lint prove fuzz mutants replica bench browsers clients model supply sbom book clean-local

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build, show a first deploy, then run week 13 as one system on this machine, remove everything, and write a report
	@localstack/demo

test: ## Install what the tests need, start a local AWS, run all tests, stop it
	@localstack/test

check: ## Formatting, the unit tests of all crates, and the tests that need no local AWS, no root and no Go
	@cargo fmt --all --check
	@cargo test --locked --workspace --exclude akidb-edge-testkit --lib --bins --test engine --test offline

lint: ## Formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo check --locked --no-default-features --package akidb-edge --lib --bins

prove: ## Kill every command at each of its calls, and write the table of docs/reliability.md (many minutes)
	@localstack/test --test aws -- --ignored --nocapture kill::killed_everywhere

fuzz: ## Damage a million texts for each parser, file of a model and request; print a table (hours; AKIDB_EDGE_FUZZ_CASES, _SECONDS, _KIND)
	@exporter/build --quick && cargo test --locked --profile fuzz --test load -- --ignored --nocapture serve_fuzz::a_million_cases

mutants: ## Change diff, fold, executor, identity rules and plan loader in one place after another; how many changes a test finds (about an hour; MUTANTS="--shard 0/8")
	@tests/mutants/run $(MUTANTS)

replica: ## The long tests of replicas: kills, full disks, jumping clocks, minutes of a writer, a large database, stock Litestream (half an hour)
	@crates/replica/tests/long

bench: ## Time deploys against the local AWS, plans of many resources, replicas of a database, devices over SSH, objects of a cluster, the embedding server, the function at the edge, and the load generator itself; print the tables
	@bench/run
	@cargo run --release --locked --quiet --example scale
	@if tests/lab/kubernetes/build --check >/dev/null 2>&1; then bench/cluster/run; else echo 'cluster: skipped, tests/lab/kubernetes/build makes the control plane' >&2; fi
	@exporter/build --edge && cargo build --release --locked --quiet && bench/serve/run
	@bench/measure/run
	@bench/measure/otava
	@bench/edge/run
	@bench/replica/run
	@if [ "$$(id -u)" = 0 ]; then bench/devices/run; else echo 'devices: skipped, isolated SSH hosts need root' >&2; fi

clients: ## Run the real clients of other projects against the embedding server; print the table (installs 1.2 GB once)
	@exporter/build --quick && cargo build --release --locked --quiet && tests/clients/suite

model: ## Fetch and export all-MiniLM-L6-v2 into models/, with ONNX Runtime in exporter/.venv, and build the browser page (once, several minutes)
	@exporter/build --edge
	@templates/browser/build

browsers: ## Drive Chromium, Firefox and WebKitGTK through the browser page; print a table, keep screenshots (minutes)
	@exporter/build --edge && templates/browser/build && tests/browsers/run

supply: ## Hold the crates against deny.toml and the advisories, and look at the bill of materials (compiles a tool once)
	@supply/check
	@AKIDB_EDGE_SUPPLY=1 cargo test --locked --test offline shipping

sbom: ## Write a bill of materials (CycloneDX) of the binary to akidb-edge.cdx.json (compiles a tool once)
	@supply/sbom > akidb-edge.cdx.json && echo akidb-edge.cdx.json

book: ## Build the documents as a site in target/book (needs mdBook; says how to get it)
	@docs/book

clean-local: ## Stop every local AWS that was started from here
	@localstack/down --all
