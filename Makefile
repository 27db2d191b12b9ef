# The commands of everyday work. Everything here is one line that can be typed by hand as well.

GO    ?= go
TOOL  := $(GO) tool -modfile=ci/tools/go.mod
PKG   ?= ./...
SEEDS ?= 100000
TIMES ?= 20
EXECS ?= 20000
PAIRS ?= 20
TRIALS ?= 1000

# Whose tests make hostile is: workers that lie, and hosts on which others reap, stop, kill or hold.
HOSTILE := $(addprefix pool/,hostile_linux_test.go reapers_linux_test.go stoppedhost_linux_test.go guardian_linux_test.go)

.DEFAULT_GOAL := help
.PHONY: help build demo test race hostile sim fleet-million fleet-sim overfleet shrink fuzz switches correct gate-pairs gate-rates bench picture v2 fmt lint vet tidy vuln ci clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the command, in bin/respawn
	$(GO) build -o bin/respawn ./cmd/respawn

demo: ## four workers, one is killed, four answer
	$(GO) run ./cmd/respawn demo

test: ## every test (PKG=./pool for one package)
	$(GO) test $(PKG)

race: ## every test under the race detector
	$(GO) test -race $(PKG)

sim: ## the pool's simulation over many seeds (SEEDS=100000)
	$(GO) test -count=1 -timeout 0 -run '^TestSimulation$$' ./pool -args -seeds $(SEEDS)

fuzz: ## each fuzz target until it has executed so often (EXECS=20000)
	EXECS=$(EXECS) ci/fuzz

fleet-million: ## a million tasks in a fleet, and one of three nodes killed every two seconds (four minutes)
	$(GO) run ./cmd/respawn run node-kill --set target.fleet.workers=2 --set 'load={task: square, concurrency: 256, count: 1000000}' \
		--set 'chaos.0={fault: {signal: KILL}, pick: {random: 1}, when: {after: 1s, every: 2s, for: 3m}}' --set settle=25s --set timeout=1h \
		--set 'expect=[tasks.ok == 1000000, memory.growth <= 64MiB, memory.members.growth <= 128MiB]'

fleet-sim: ## the fleet's simulation over many schedules (SEEDS=100000)
	$(GO) test -count=1 -timeout 0 -run '^TestSimulationOfTheFleet$$' ./fleet -args -seeds $(SEEDS)

overfleet: ## the pool's tests over fleets of one broker and of three
	BROKERS=1 ci/overfleet
	BROKERS=3 ci/overfleet

shrink: ## is the cause of each of twenty planted bugs found among a hundred kills? (takes an hour)
	$(GO) test -count=1 -timeout 0 -v -run '^TestThePlantedCauseIsFound$$' ./scenarios/shrink -args -every

switches: ## is each bug of the broken pool caught each time? Its last lines say how often (TIMES=20 takes an hour; BUGS=a,b for these)
	$(GO) test -count=1 -timeout 0 -v -run '^TestEverySwitchOfTheBrokenPoolFails' ./scenarios -args -every -times $(TIMES) -side 8 $(if $(BUGS),-bugs '$(BUGS)')

correct: ## do correct pools pass each time? The library on the pool, and what a driver can run on the broken one without bugs (TIMES=4: 300 runs)
	$(GO) test -count=1 -timeout 0 -v -run '^(TestLibrary|TestTheCorrectPoolAndHarmlessDifferencesPass)$$' ./scenarios -args -every -times $(TIMES)

hostile: ## what hostile workers and hosts do to the pool, three times, under the race detector
	$(GO) test -race -count=3 -timeout 30m -run "^($$(sed -n 's/^func \(Test[A-Za-z0-9]*\)(.*/\1/p' $(HOSTILE) | paste -sd '|' -))$$" ./pool

gate-pairs: ## is the gate red on twice the recovery, and never on noise? (PAIRS=20)
	$(GO) test -count=1 -timeout 0 -v -run '^TestGateOverPairs$$' ./cmd/respawn -pairs $(PAIRS)

gate-rates: ## how often the gate is red, by simulation; writes the table of docs/gate.md (TRIALS=1000)
	$(GO) test -count=1 -v -run '^TestTheRatesOfTheGate$$' ./ci -args -table -trials $(TRIALS)

bench: ## the pool against floors measured in the same run
	$(GO) run ./cmd/respawn bench

v2: ## the cgroup tests on a real kernel with cgroup version 2
	ci/v2/run.sh

picture: ## docs/report.png, from a real run; needs chromium
	$(GO) run ./cmd/respawn run kill-storm --out respawn-out
	RESPAWN_PICTURE_OF=$(CURDIR)/respawn-out/kill-storm/report.html RESPAWN_PICTURE=$(CURDIR)/docs/report.png RESPAWN_HEIGHT=1160 \
		$(GO) test -count=1 -run TestPicture ./reports/browsertest

fmt: ## format with gofumpt
	$(TOOL) gofumpt -l -w .

lint: vet ## staticcheck and vet, for darwin too
	$(TOOL) staticcheck $(PKG)

vet:
	$(GO) vet $(PKG)
	GOOS=darwin $(GO) vet $(PKG)

tidy: ## go mod tidy, here and in ci/tools
	$(GO) mod tidy
	cd ci/tools && $(GO) mod tidy

vuln: ## govulncheck; needs its database
	$(TOOL) govulncheck $(PKG)

ci: ## everything that must hold before a change lands
	.ci/run

clean: ## remove what the build made
	rm -rf bin out respawn-out
