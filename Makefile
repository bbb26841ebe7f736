# Needs Go, make and git; a C compiler adds the race detector to the tests. Everything built here goes to bin/.
#
# "work" is the pattern for all four modules of go.work: ./... means nothing at a root that is no module.
# GOWORK=off is a module as others get it: alone, with the versions of its own go.mod.

modules  := schema ingress workers deploy
FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.NOTPARALLEL: # the go command keeps every core busy; two at once only mix their output

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z\/]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### Run and build

# Ctrl-C reaches everything in the terminal's foreground group: make too, which then ends with 130 however well the sandbox
# stopped. Under set -m the sandbox is a foreground group of its own, and its status is make's. Without a terminal there is no
# Ctrl-C, and exec lets it take the signals sent to the shell. The last exit keeps a shell from turning the line before into an exec.
.PHONY: run
run: ## the whole pipeline in one process, with a demonstration: make run ARGS=--once
	@go build -o bin/ ./deploy/cmd/sandbox
	@[ -t 0 ] || exec bin/sandbox $(ARGS); set -m; bin/sandbox $(ARGS); exit $$?

.PHONY: build
build: ## every command as a static binary in bin/
	@$(call compile,bin/)

# $(1) is the directory of the binaries. Without git they have the version that Go knows.
compile = for m in ingress workers deploy; do \
		echo "build: $$m"; \
		CGO_ENABLED=0 GOWORK=off go build -C $$m -trimpath -ldflags='$(ldflags)' -o ../$(1) ./cmd/... || exit 1; \
	done
ldflags = -s -w -X github.com/wagewire/wagewire/schema/process.version=$(tree)
tree    = $(shell git describe --tags --always --dirty 2>/dev/null)

# What runs in containers: all but what is for one machine. The binaries are built here and sent to the engine one by one, so that
# neither a registry nor the network is needed. A second binary of a command, for Linux, stands beside the first: this may be a Mac.
images         := $(sort $(filter-out sandbox chaos bench,$(notdir $(wildcard */cmd/*))))
IMAGES         ?= wagewire
VERSION        ?= dev
imageBytesMax  := 20000000

.PHONY: images
images: ## an image of every command for containers, from the tree as it is: make images IMAGES=wagewire VERSION=dev
	@arch=$$(docker version --format '{{.Server.Arch}}' 2>/dev/null) || { \
		echo 'images: no Docker engine answers: start one, or set DOCKER_HOST to where one is' >&2; exit 1; }; \
	export GOOS=linux GOARCH=$$arch; $(call compile,bin/linux-$$arch/); \
	for c in $(images); do \
		image=$(IMAGES)/$$c:$(VERSION); \
		said=$$(tar -c -f - -C bin/linux-$$arch $$c -C $(CURDIR)/deploy/docker Dockerfile | docker build --target prebuilt -t $$image \
			--build-arg COMMAND=$$c --build-arg BINARY=$$c --build-arg VERSION=$(or $(tree),$(VERSION)) \
			--build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null) - 2>&1) || { echo "$$said"; exit 1; }; \
		size=$$(docker image inspect --format '{{.Size}}' $$image) || exit 1; \
		echo "images: $$image $$((size / 1000000)).$$((size / 100000 % 10)) MB"; \
		[ $$size -lt $(imageBytesMax) ] || { echo "images: $$image must be under $$(($(imageBytesMax) / 1000000)) MB" >&2; exit 1; }; \
	done

.PHONY: up
up: ## the stack of docker-compose.yml, after a look at what usually goes wrong: make up ARGS='--env-file mine.env'
	@deploy/compose/up $(ARGS)

##### Tests

# Packages without tests are left out, so that every line printed, the last one included, is a test's. Four at a time: most of
# them wait for servers they started.
.PHONY: test
test: ## every test, the container tests where a Docker engine answers: make test TESTFLAGS='-run Paystubs -v'
	@race=-race; go list -race errors >/dev/null 2>&1 || { race=; \
		echo 'test: without the race detector, it needs a C compiler: install gcc or clang to have it'; }; \
	why=$$($(engine) 2>&1 >/dev/null) || \
		echo "test: without the container tests, no Docker engine answers: $$(echo "$$why" | $(shorten))"; \
	packages=$$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' work) && \
	go test $$race -p 4 $(TESTFLAGS) $$packages
	@! $(engine) >/dev/null 2>&1 || $(MAKE) --no-print-directory test/containers

engine  = docker version --format '{{.Server.Version}}'
shorten = sed -E -n '$$ { s/^[^ ]*sh: (line )?([0-9]+: )?//; s/(: Get |\. Is |; check ).*//; p; }'

# Not from the cache: go test does not see that an image changed. Their names hold Containers; the other tests of their packages
# are make test's.
.PHONY: test/containers
test/containers: images ## the same scripts against images and a NATS container; needs a Docker engine
	@echo 'test: in containers, for some minutes'
	@go test -tags containers -count=1 -p 1 -timeout 30m -run Containers $(TESTFLAGS) \
		$$(grep -rl --include='*_test.go' '^//go:build containers$$' deploy | sed 's,^\(.*\)/.*,./\1,' | sort -u)

##### Laws

.PHONY: check
check: check/format check/vet check/tidy check/alone check/laws check/lint check/fuzz ## the laws of the code: format, vet, tidy, alone, laws, lint, fuzz

.PHONY: check/format
check/format:
	@echo 'check: format (repair: make fmt)'
	@files=$$(gofmt -l $(modules)) && { [ -z "$$files" ] || { echo "$$files"; exit 1; }; }

.PHONY: check/vet
check/vet:
	@echo 'check: vet'
	@go vet -tags containers work

.PHONY: check/tidy
check/tidy:
	@echo 'check: go.mod and go.sum are tidy (repair: make tidy)'
	@for m in $(modules); do GOWORK=off go -C $$m mod tidy -diff || exit 1; done

# The images are built from modules alone, the tests run in the workspace: the two must choose the same versions, or what is
# shipped is not what was tested.
versions := go list -deps -f '{{with .Module}}{{if and .Version (not .Replace)}}{{.Path}} {{.Version}}{{end}}{{end}}' ./...

.PHONY: check/alone
check/alone:
	@echo 'check: each module builds alone, from the versions it is tested with (repair: make tidy)'
	@for m in $(modules); do ( cd $$m && GOWORK=off go build ./... && \
		tested=$$($(versions)) && shipped=$$(GOWORK=off $(versions)) && \
		{ [ "$$tested" = "$$shipped" ] || { echo "$$m: go.mod and go.work choose different versions"; exit 1; }; } \
	) || exit 1; done

# Not from the cache: these tests read files of packages that they do not import.
.PHONY: check/laws
check/laws:
	@echo 'check: import law, secrets scan'
	@go test -count=1 ./deploy

.PHONY: check/lint
check/lint: bin/golangci-lint
	@for m in $(modules); do \
		echo "check: lint $$m"; \
		( cd $$m && ../bin/golangci-lint run ./... ) || exit 1; \
	done

.PHONY: check/fuzz
check/fuzz:
	@echo 'check: fuzz (FUZZTIME=$(FUZZTIME) a target)'
	@.ci/fuzz $(FUZZTIME)

##### Upkeep

.PHONY: fmt
fmt: bin/golangci-lint ## format the Go code
	@for m in $(modules); do ( cd $$m && ../bin/golangci-lint fmt ./... ) || exit 1; done

# Tidy first, so that the workspace knows every module it needs; again after, because sync raises versions.
.PHONY: tidy
tidy: ## tidy every go.mod and give all of them the same versions
	@for m in $(modules); do GOWORK=off go -C $$m mod tidy || exit 1; done
	@go work sync
	@for m in $(modules); do GOWORK=off go -C $$m mod tidy || exit 1; done

.PHONY: generate
generate: ## write the generated files again
	@go generate work

.PHONY: clean
clean: ## remove bin/
	@rm -rf bin

# Built from source, because that needs nothing but the Go module proxy; again only when its pin moves.
bin/golangci-lint: .ci/tools/go.mod .ci/tools/go.sum
	@echo 'golangci-lint: building the version pinned in .ci/tools, once, for a few minutes'
	@CGO_ENABLED=0 GOWORK=off GOBIN=$(CURDIR)/bin go -C .ci/tools install tool
	@touch $@

##### Measure

# nats-server is the version that the tests run on, built like our own commands.
.PHONY: bench
bench: ## ingress and the workers against what they stand on, in two minutes: make bench ARGS=--help
	@CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ ./ingress/cmd/... ./workers/cmd/... ./deploy/cmd/bench github.com/nats-io/nats-server/v2
	@bin/bench $(ARGS)

##### Chaos

# As in run: Ctrl-C reaches chaos alone, which ends what it started.
chaos = go build -o bin/ ./deploy/cmd/chaos && { [ -t 0 ] || exec bin/chaos $(1); set -m; bin/chaos $(1); exit $$?; }

.PHONY: chaos
chaos: ## nothing lost, nothing twice, by counting, while processes are killed: CHAOS_FOR=1h CHAOS_SEED=1 CHAOS_NODES=3 make chaos
	@$(call chaos)

.PHONY: chaos/broken
chaos/broken: ## the same for builds that are broken on purpose: each must be found out
	@$(call chaos,--broken)
