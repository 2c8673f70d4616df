# Gantry's commands. Each is one line that can also be typed by hand.

# What `sim`, `hunt` and `meta` run: SCENARIO is a name from `bin/gantrysim list`, SEED a number.
SCENARIO ?= pubsub
SEED ?= 1
# How long `hunt` looks, and how long `fuzz` runs, both over all targets, in seconds.
HUNTTIME ?= 600
FUZZTIME ?= 300
# How often `bench` repeats each benchmark: benchstat wants ten for a verdict.
# With GANTRY_BENCH=full in the environment, those of the store take the sizes that a broker is meant for, and minutes.
COUNT ?= 10
# A file for the figures of `chaos` and `bench-copies`, for scripts.
JSON ?=
# More arguments for `run`, such as ARGS=--help.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run build test race crash sim hunt meta planted fuzz e2e chaos chaos-short bench bench-copies rewrite interop interop-table check clean

help: ## List the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-13s %s\n", $$1, $$2 }'

run: ## Start a name server and a broker in one process
	go build -o bin/ ./cmd/gantry && exec bin/gantry standalone $(ARGS)

build: ## Build bin/gantry and bin/gantrysim, static binaries
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/gantry ./cmd/gantrysim

test: ## Check formatting, vet, and run all tests
	@! gofmt -l . | grep . || { echo 'gofmt -w the files above'; exit 1; }
	go vet ./...
	go test -timeout 8m ./...

race: ## Run all tests under the race detector
	go test -race -timeout 30m ./...

crash: ## Crash the store at every disk operation, exhaustively
	GANTRY_CRASH=all go test -count=1 -timeout 60m ./store

sim: ## Simulate SCENARIO with SEED
	go build -o bin/ ./cmd/gantrysim && bin/gantrysim run $(SCENARIO) --seed $(SEED)

hunt: ## Simulate with new seeds for HUNTTIME seconds, on all cores
	go build -o bin/ ./cmd/gantrysim && bin/gantrysim hunt $(SCENARIO) --for $(HUNTTIME)s

meta: ## Simulate 20 seeds of SCENARIO in several ways, also under the race detector, and compare (needs a C compiler)
	go build -o bin/ ./cmd/gantrysim && go build -race -o bin/gantrysim-race ./cmd/gantrysim && bin/gantrysim meta $(SCENARIO) --seed $(SEED) --seeds 20 --also bin/gantrysim-race

planted: ## Switch on each planted bug and demand that it is found
	go test -count=1 -tags planted -timeout 120m -run '^TestPlanted' ./sim/...

fuzz: ## Fuzz every target, FUZZTIME seconds in all
	@set -e; targets=$$(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort); \
	[ -n "$$targets" ] || { echo 'There is no function Fuzz…'; exit 1; }; \
	each=$$(( $(FUZZTIME) / $$(echo "$$targets" | wc -l) + 1 ))s; \
	echo "$$targets" | while IFS=: read -r file func; do \
		echo "go test -run '^$$' -fuzz '^$${func#func }$$' -fuzztime $$each $$(dirname $$file)"; \
		go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $$each $$(dirname $$file); done

e2e: ## Run real processes on loopback, kill them, start them again
	GANTRY_E2E=all go test -count=1 -timeout 20m -run '^TestEndToEnd' ./cmd/gantry ./cmd/gantry/acceptance

chaos: ## Break real processes in network namespaces, in every way, and measure fail-over (root; about 8 minutes)
	go test -c -o bin/chaos.test ./cmd/gantry/chaos && GANTRY_CHAOS=whole bin/chaos.test -test.run '^TestChaos$$' -test.timeout 60m $(if $(JSON),-results $(JSON))

chaos-short: ## The same with kill -9 of the master only (root; about 2 minutes)
	go test -c -o bin/chaos.test ./cmd/gantry/chaos && GANTRY_CHAOS=short bin/chaos.test -test.run '^TestChaos$$' -test.timeout 10m $(if $(JSON),-results $(JSON))

bench: ## Run the benchmarks COUNT times, in the form that benchstat reads
	go test -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 0 ./...

bench-copies: ## Measure a single broker and elected ones with two and three copies by gantry bench, how fast a new copy catches up, and elections
	GANTRY_BENCH_COPIES=all go test -count=1 -v -timeout 20m -run '^(TestThroughputWithCopies|TestCatchUp|TestElectionTime)$$' ./cmd/gantry/acceptance

rewrite: ## Write the expected output of script tests anew; review the diff
	go test $$(grep -rlE --include='*_test.go' 'flag\.Bool\("rewrite"' . | xargs -r dirname | sort -u) -rewrite

interop: ## Run other people's clients, tools, servers and store against ours (Node.js, Java, Maven; skipped without)
	go test -count=1 -timeout 20m -parallel 4 -tags interop ./interop/...

interop-table: ## Write the results of the last make interop into interop/README.md
	go test -count=1 -tags interop -run '^TestTheTableIsWrittenFromTheResults$$' ./interop -table

check: ## The quick gate: formatting, vet, the rules of sim/lint, go.mod
	@! gofmt -l . | grep . || { echo 'gofmt -w the files above'; exit 1; }
	go vet ./...
	go test ./sim/lint
	go mod verify
	go mod tidy -diff

clean: ## Remove what was built and cached results of tests
	rm -rf bin
	go clean -testcache
