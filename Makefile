# Needs Go, make and git. With a C compiler, the tests run with the race detector. Binaries go to bin/.
#
# "work" is the pattern for all four modules of go.work; ./... does not work at the root, which is not
# a module. GOWORK=off builds a module as other people get it: alone, with the versions of its go.mod.
# The tests of the Helm chart and of the alert rules are modules outside of go.work: the libraries of
# Kubernetes and of Prometheus would change the versions of the line.

modules  := schema ingress workers deploy
chart    := deploy/kubernetes
rules    := deploy/prometheus
apart    := $(chart) $(rules)
FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.NOTPARALLEL: # one go command already uses every core

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z\/]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### Run and build

# Ctrl-C goes to the foreground process group of the terminal. If make were in the group, make would
# exit with 130. With set -m the sandbox is a foreground group of its own, and make exits with the
# status of the sandbox. Without a terminal, exec passes signals sent to the shell on to the sandbox. The
# last exit keeps the shell from replacing itself with the sandbox.
.PHONY: run
run: ## run the whole line in one process, with a demonstration: make run ARGS=--once
	@go build -o bin/ ./deploy/cmd/sandbox
	@[ -t 0 ] || exec bin/sandbox $(ARGS); set -m; bin/sandbox $(ARGS); exit $$?

.PHONY: build
build: ## build every command as a static binary in bin/
	@$(call compile,bin/)

# $(1) is the directory for the binaries. An image holds little more than its binary, so the limit of an
# image is looked at here. Without git, the version is the one that Go knows.
compile = for m in ingress workers deploy; do \
		echo "build: $$m"; \
		CGO_ENABLED=0 GOWORK=off go build -C $$m $(build) -ldflags='$(ldflags)' -o ../$(1) ./cmd/... || exit 1; \
	done; \
	for c in $(images); do \
		[ $$(wc -c <$(1)$$c) -lt $(imageBytesMax) ] || { \
			echo "build: $(1)$$c must be under $$(($(imageBytesMax) / 1000000)) MB, like its image" >&2; exit 1; }; \
	done
imageBytesMax = 20000000

# grpcnotrace leaves out the web pages of gRPC, of which only the messages of OpenTelemetry are used. With
# them comes text/template, and with it every method of every type: a quarter of a binary.
build   = -trimpath -tags grpcnotrace
ldflags = -s -w -X github.com/wagewire/wagewire/schema/process.version=$(tree)
tree    = $(shell git describe --tags --always --dirty 2>/dev/null)

# The commands that run in containers: all except those for a developer's machine. The binaries are built
# here and sent to the engine, so no registry and no network is needed. They go to a directory of their
# own, because the machine may not be Linux.
images         := $(sort $(filter-out sandbox chaos simulate bench,$(notdir $(wildcard */cmd/*))))
IMAGES         ?= wagewire
VERSION        ?= dev

.PHONY: images
images: ## build an image of every command for containers: make images IMAGES=wagewire VERSION=dev
	@arch=$$(docker version --format '{{.Server.Arch}}' 2>/dev/null) || { \
		echo 'images: no Docker engine answers: start Docker, or set DOCKER_HOST' >&2; exit 1; }; \
	export GOOS=linux GOARCH=$$arch; $(call compile,bin/linux-$$arch/); \
	for c in $(images); do \
		image=$(IMAGES)/$$c:$(VERSION); \
		output=$$(tar -c -f - -C bin/linux-$$arch $$c -C $(CURDIR)/deploy/docker Dockerfile | \
			docker build --target prebuilt -t $$image \
			--build-arg COMMAND=$$c --build-arg BINARY=$$c --build-arg VERSION=$(or $(tree),$(VERSION)) \
			--build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null) - 2>&1) || \
			{ echo "$$output"; exit 1; }; \
		size=$$(docker image inspect --format '{{.Size}}' $$image) || exit 1; \
		echo "images: $$image $$((size / 1000000)).$$((size / 100000 % 10)) MB"; \
	done

# A node without an engine takes archives: deploy/kubernetes/node/load. The broker is of the version of
# go.mod, under the name that the chart has.
broker = nats:$(shell sed -nE '/^nats:/,/^keys:/s/^    tag: (.+)/\1/p' $(chart)/chart/values.yaml)
pack   = $(node)/image

.PHONY: archives
archives: ## pack images without Docker, of every command and of nats-server: bin/archives/*.tar
	@export GOOS=linux GOARCH=$$(go env GOHOSTARCH); out=bin/linux-$$GOARCH; $(call compile,bin/linux-$$GOARCH/); \
	CGO_ENABLED=0 GOWORK=off go build -C deploy -trimpath -ldflags='-s -w' -o ../$$out/ github.com/nats-io/nats-server/v2 && \
	for c in $(images); do $(pack) $(IMAGES)/$$c:$(VERSION) bin/archives/$$c.tar $$out/$$c:/app || exit 1; done && \
	$(pack) $(broker) bin/archives/nats.tar $$out/nats-server:/nats-server

# Every command except the tools of this repository. The linker writes the modules of a binary into it.
# Our own modules stand there as directories, so their names and versions are put in here.
shipped := $(sort $(filter-out chaos simulate bench,$(notdir $(wildcard */cmd/*))))

.PHONY: sbom
sbom: bin/cyclonedx-gomod build ## write the bill of materials of every binary: CycloneDX JSON in bin/sbom/
	@mkdir -p bin/sbom
	@for c in $(shipped); do \
		bin/cyclonedx-gomod bin -json -std -noserial -notimestamp -version $(or $(tree),$(VERSION)) \
			-output bin/sbom/$$c.json bin/$$c 2>bin/sbom/log || { cat bin/sbom/log >&2; exit 1; }; \
		sed -E -e 's,\.\./(schema|ingress|workers),github.com/wagewire/wagewire/\1,g' \
			-e 's,\(devel\),$(or $(tree),$(VERSION)),g' \
			bin/sbom/$$c.json >bin/sbom/log && mv bin/sbom/log bin/sbom/$$c.json || exit 1; \
	done
	@go test -tags sbom -count=1 -run BillOfMaterials ./deploy

.PHONY: up
up: ## check for the usual mistakes, start the stack of docker-compose.yml: make up ARGS='--env-file mine.env'
	@deploy/compose/up $(ARGS)

##### Tests

# Packages without tests are left out, so every line of output is about a test. Four packages run at a
# time, because most tests wait for servers.
.PHONY: test
test: ## run every test, with Docker also some scripts in containers: make test TESTFLAGS='-run Paystubs -v'
	@$(MAKE) --no-print-directory test/chart test/rules
	@race=-race; go list -race errors >/dev/null 2>&1 || { race=; \
		echo 'test: without the race detector: install gcc or clang to have it'; }; \
	why=$$($(engine) 2>&1 >/dev/null) || \
		echo "test: without the container tests, no Docker engine answers: $$(echo "$$why" | $(shorten))"; \
	for p in node npm python3; do \
		command -v $$p >/dev/null || echo "test: without a consumer of schema/README.md and a kit: install $$p to have it"; \
	done; \
	command -v chromium >/dev/null || echo 'test: without the console in a browser: install chromium to have it'; \
	packages=$$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' work) && \
	go test $$race -p 4 -timeout 30m $(TESTFLAGS) $$packages
	@! $(engine) >/dev/null 2>&1 || $(MAKE) --no-print-directory test/containers length=-short

# Without the race detector, because the tests start no goroutines. The first run compiles the libraries
# of Helm and KEDA, for some minutes.
.PHONY: test/chart
test/chart: ## render the Helm chart with Helm 4 and 3, and judge the objects as a cluster would
	@GOWORK=off go -C $(chart) test -timeout 10m $(TESTFLAGS) ./...

# The engine of Prometheus evaluates the rules over invented series. The first run compiles it, for a
# minute or two.
.PHONY: test/rules
test/rules: ## evaluate the alert rules as Prometheus would, also at their limits
	@GOWORK=off go -C $(rules) test -timeout 10m $(TESTFLAGS) ./...

engine  = docker version --format '{{.Server.Version}}'
shorten = sed -E -n '$$ { s/^[^ ]*sh: (line )?([0-9]+: )?//; s/(: Get |\. Is |; check ).*//; p; }'

# npm fetches the packages into a folder that goes away. They are pinned in package.json.
.PHONY: schema/typescript
schema/typescript: ## compile the schemas with ajv and TypeScript, parse asyncapi.yaml; needs node and npm
	@{ command -v node && command -v npm; } >/dev/null || { echo 'schema/typescript: install node and npm' >&2; exit 1; }
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && trap 'exit 130' INT TERM && \
	cp schema/jsonschema/typescript/package.json schema/jsonschema/typescript/check.mjs "$$dir" && cd "$$dir" && \
	npm install --no-audit --no-fund --loglevel=error && node check.mjs $(CURDIR)/schema

# The same test as in make test, with its steps. Node, npm and python3 add their languages.
.PHONY: lending
lending: ## ask eight questions of a team that lends, in three languages, and compare each digit of the answers
	@log=$$(go test -count=1 -v -timeout 10m $(TESTFLAGS) -run ALendingTeam ./deploy/e2e) || { echo "$$log"; exit 1; }; \
	echo "$$log" | sed -n -e 's/^ *answer: //p' -e '/NOT RUN\|runs on a fake/s/^.*: //p' -e '/^ok/p'

# 20 MB are a row of make test. The limits of the memory are the same.
.PHONY: test/kits
test/kits: ## read 100 MB of records of one completion with the kits, and measure the memory; needs node and npm
	@go test -count=1 -v -timeout 10m -run TheMemoryDoesNotGrow $(TESTFLAGS) ./schema/client -args -records-mb 100
	@go test -count=1 -v -timeout 20m $(TESTFLAGS) ./schema/clients/typescript -args -megabytes 100

# -count=1, because go test does not see a changed image and would use the cache. The names of these tests
# have the word Containers; make test runs the other tests of their packages.
.PHONY: test/containers
test/containers: images ## run every script against images and a NATS container; needs Docker
	@echo 'test: in containers, for some minutes'
	@go test -tags containers -count=1 -p 1 -timeout 30m -run Containers $(length) $(TESTFLAGS) \
		$$(grep -rl --include='*_test.go' '^//go:build containers$$' deploy | sed 's,^\(.*\)/.*,./\1,' | sort -u)

node = $(chart)/node

# The API server is built from source for five to ten minutes, once. The Go caches of the build go.
.PHONY: test/apiserver
test/apiserver: ## let a real API server judge every rendering of the chart; any user, no engine
	@$(node)/build api tidy
	@echo 'test: every rendering of the chart, judged by an API server'
	@trap '$(node)/down api' EXIT; trap 'exit 130' INT TERM; up=$$($(node)/up api keda) && eval "$$up" && \
	GOWORK=off go -C $(chart) test -tags apiserver -count=1 -timeout 10m -run APIServer $(TESTFLAGS) .

# Waits for three servers to cut their logs, so it takes some minutes. -v shows each line at once.
.PHONY: test/canaries
test/canaries: ## measure when a deleted account has left the files of a cluster of three
	@go test -tags canaries -count=1 -v -timeout 20m -run FilesOfACluster $(TESTFLAGS) ./deploy/e2e

# Each flood lasts half a minute and there are two dozen, so it takes a quarter of an hour.
.PHONY: test/flood
test/flood: ## attack ingress in every way for long, and measure how genuine webhooks are answered
	@go test -count=1 -v -timeout 60m -run EveryFlood $(TESTFLAGS) ./deploy/e2e -args -flood 600

# Most rows count calls for a minute, so it takes two to four minutes. Each row prints a line of figures.
.PHONY: test/budget
test/budget: ## measure that all processes together keep to the rate of a provider
	@go test -count=1 -v -timeout 30m -run OneBudget $(TESTFLAGS) ./deploy/e2e -args -budget 60s

# Some faults need most of a minute until they are sure, and some cures as long until they show.
.PHONY: test/drills
test/drills: ## break an installation in every way of the runbook: name each fault within 60 s, and cure it
	@go test -count=1 -v -timeout 40m $(TESTFLAGS) ./deploy/drill -args -within 60s

# The pages in Chromium are tests of make test. This is about their speed. It takes a few minutes, and
# 6 GB of disk during the run.
.PHONY: test/console
test/console: ## measure the pages of the console beside three million completions: the first page in 100 ms
	@$(measured)
	@CGO_ENABLED=0 go build $(build) -ldflags='-s -w' -o bin/ ./deploy/cmd/wagewire
	@bin/bench console $(ARGS)

# With KUBECONFIG the tests use that cluster. It needs KEDA, kubectl, helm, and images that it can pull:
# ARGS='-images PREFIX:TAG'. Without KUBECONFIG they bring up the one-node cluster of this repository on
# Debian, as root. Its programs are built once, which takes half an hour. The tests take about 20
# minutes. ARGS=-update writes deploy/kubernetes/scaling.svg.
.PHONY: test/kubernetes
test/kubernetes: ## install, scale, disturb and upgrade the chart on a real cluster, and count what is lost
	@GOWORK=off go -C $(chart) test -tags cluster -count=1 -v -timeout 2h -run TestCluster $(TESTFLAGS) \
		./cluster -args $(ARGS)

##### Laws

.PHONY: check
check: check/format check/vet check/tidy check/alone check/laws check/lint check/fuzz ## check the code: format, vet, tidy, alone, laws, lint, fuzz

.PHONY: check/format
check/format:
	@echo 'check: format (repair: make fmt)'
	@files=$$(gofmt -l $(modules)) && { [ -z "$$files" ] || { echo "$$files"; exit 1; }; }

.PHONY: check/vet
check/vet:
	@echo 'check: vet'
	@go vet -tags containers,canaries,sbom work
	@GOWORK=off go -C $(chart) vet -tags apiserver,cluster ./...
	@GOWORK=off go -C $(rules) vet ./...

.PHONY: check/tidy
check/tidy:
	@echo 'check: go.mod and go.sum are tidy (repair: make tidy)'
	@for m in $(modules) $(apart); do GOWORK=off go -C $$m mod tidy -diff || exit 1; done

# Images are built from single modules, and tests run in the workspace. Both must choose the same
# versions, or the tested code is not the shipped code.
versions := go list -deps -f '{{with .Module}}{{if and .Version (not .Replace)}}{{.Path}} {{.Version}}{{end}}{{end}}' ./...

.PHONY: check/alone
check/alone:
	@echo 'check: each module builds alone, from the versions it is tested with (repair: make tidy)'
	@for m in $(modules); do ( cd $$m && GOWORK=off go build ./... && \
		tested=$$($(versions)) && shipped=$$(GOWORK=off $(versions)) && \
		{ [ "$$tested" = "$$shipped" ] || { echo "$$m: go.mod and go.work choose different versions"; exit 1; }; } \
	) || exit 1; done

# -count=1, because these tests read files of packages that they do not import.
.PHONY: check/laws
check/laws:
	@echo 'check: import law, secrets scan, prose'
	@go test -count=1 ./deploy

.PHONY: check/lint
check/lint: bin/golangci-lint
	@for m in $(modules); do \
		echo "check: lint $$m"; \
		( cd $$m && ../bin/golangci-lint run ./... ) || exit 1; \
	done
	@for m in $(apart); do \
		echo "check: lint $$m"; \
		( cd $$m && GOWORK=off $(CURDIR)/bin/golangci-lint run ./... ) || exit 1; \
	done

.PHONY: check/fuzz
check/fuzz:
	@echo 'check: fuzz (FUZZTIME=$(FUZZTIME) a target)'
	@.ci/fuzz $(FUZZTIME)

##### Upkeep

.PHONY: fmt
fmt: bin/golangci-lint ## format the Go code
	@for m in $(modules) $(apart); do ( cd $$m && $(CURDIR)/bin/golangci-lint fmt ./... ) || exit 1; done

# Tidy first, so the workspace knows every module. Tidy again, because sync may raise versions.
.PHONY: tidy
tidy: ## tidy every go.mod, with the same versions in all
	@for m in $(modules); do GOWORK=off go -C $$m mod tidy || exit 1; done
	@go work sync
	@for m in $(modules) $(apart); do GOWORK=off go -C $$m mod tidy || exit 1; done

.PHONY: generate
generate: ## write the generated files
	@go generate work
	@for m in $(rules) $(chart); do GOWORK=off go -C $$m generate ./... || exit 1; done

.PHONY: clean
clean: ## remove bin/
	@rm -rf bin

# Built from source with the Go module proxy alone, and built again only for another version.
bin/golangci-lint: .ci/tools/go.mod .ci/tools/go.sum
	@echo 'golangci-lint: building the version of .ci/tools, once, for a few minutes'
	@CGO_ENABLED=0 GOWORK=off GOBIN=$(CURDIR)/bin go -C .ci/tools install tool
	@touch $@

# In a module of its own, because its libraries would change the versions of the linters.
bin/cyclonedx-gomod: .ci/sbom/go.mod .ci/sbom/go.sum
	@echo 'cyclonedx-gomod: building the version of .ci/sbom, once'
	@CGO_ENABLED=0 GOWORK=off GOBIN=$(CURDIR)/bin go -C .ci/sbom install tool
	@touch $@

##### Measure

# nats-server has the version of the tests and is built like our own commands.
.PHONY: bench
bench: ## measure ingress and the workers against the least programs for the job: make bench ARGS=--help
	@$(measured)
	@bin/bench $(ARGS)

measured = CGO_ENABLED=0 go build $(build) -ldflags='-s -w' -o bin/ ./ingress/cmd/... ./workers/cmd/... \
		./deploy/cmd/bench github.com/nats-io/nats-server/v2

.PHONY: capacity
capacity: ## measure what one person takes of the broker: the table of deploy/README.md
	@$(measured)
	@bin/bench capacity $(ARGS)

# It takes about a quarter of an hour, and 10 GB of disk during the run.
.PHONY: bench/growth
bench/growth: ## measure how cost grows with completions kept, durables and waiting events
	@$(measured)
	@bin/bench growth $(ARGS)

.PHONY: bench/brokers
bench/brokers: ## measure partitions of the events, and streams on different servers of a cluster
	@$(measured)
	@bin/bench brokers $(ARGS)

.PHONY: bench/commands
bench/commands: ## measure the commands of operators beside three million completions
	@$(measured)
	@CGO_ENABLED=0 go build $(build) -ldflags='-s -w' -o bin/ ./deploy/cmd/wagewire
	@bin/bench commands $(ARGS)

##### Chaos

# As in run, Ctrl-C goes to chaos alone, and chaos stops its processes.
chaos = go build -o bin/ ./deploy/cmd/chaos && { [ -t 0 ] || exec bin/chaos $(1); set -m; bin/chaos $(1); exit $$?; }

.PHONY: chaos
chaos: ## kill processes, then count lost and repeated events: CHAOS_FOR=1h CHAOS_SEED=1 make chaos
	@$(call chaos)

.PHONY: chaos/broken
chaos/broken: ## the same with builds that are broken on purpose: each must be found
	@$(call chaos,--broken)

##### Simulation

# As in run, Ctrl-C goes to simulate alone, and simulate stops its processes.
simulate = go build -o bin/ ./deploy/cmd/simulate && { [ -t 0 ] || exec bin/simulate $(1); set -m; bin/simulate $(1); exit $$?; }

.PHONY: simulate
simulate: ## run the line in virtual time, under many schedules of faults: make simulate FOR=1h, or SEED=1 SEEDS=100
	@$(call simulate,$(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FOR),--for $(FOR)) \
		$(if $(WITHOUT),--without $(WITHOUT)) $(ARGS))

.PHONY: simulate/broken
simulate/broken: ## the same with builds that are broken on purpose: each must be found
	@$(call simulate,--broken $(ARGS))
