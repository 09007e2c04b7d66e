# The commands of the project. `make` lists them.

GO        ?= go
FUNCTIONS := register login refresh logout users sessions ncprovision files jwks health migrate
BUILD     := build
# The version of what is built, which its environment may set: where SAM and
# docker build there is no history.
ifndef GATEWAY_VERSION
GATEWAY_VERSION := $(shell scripts/version)
endif
export GATEWAY_VERSION
RELEASE   := -trimpath -ldflags='-s -w -X github.com/voiceassist/gateway/shared/version.linked=$(GATEWAY_VERSION)'
# What a function needs none of (docs/performance.md): the old way of Lambda to
# call, HTTP/2, PostgreSQL types of Go values that no statement here sends, and the
# validator's calls of methods by name, for which the linker would keep them all.
TAGS      := lambda.norpc,nethttpomithttp2,nopgxregisterdefaulttypes,validator_novalidatefn

.DEFAULT_GOAL := help
.PHONY: help run demo certs test test-race attack guides test-nextcloud fuzz cold-start flood throughput lint build image up down tls-check verify-tokens site clients clients-check sam-check sam-local sam-acceptance clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the gateway on the embedded database, with a Nextcloud for development
	$(GO) run ./cmd/gateway serve --dev-nextcloud

demo: ## play the whole way against the running gateway
	@scripts/demo

certs: ## make a local certificate authority with mkcert, which the gateway then signs with
	$(GO) tool mkcert -install

# How long a package may take on a machine that does other things, too.
PATIENCE := 30m

test: ## run all tests, on SQLite and PostgreSQL
	@scripts/postgresql && scripts/redis && scripts/pgbouncer && scripts/chromium
	$(GO) test -timeout $(PATIENCE) -shuffle=on ./...

# Of the tests of the built gateway those that ask it many things at once: the
# others would only take their time under the detector.
RACED := ^Test(Keys_NobodyNoticesARotation|Limits_TwoProcessesShareOneBudget)$$

# Packages that only compute, which the detector need not watch: SQLite, translated
# from C, and the cipher of bcrypt. Without them the tests take half the time.
UNWATCHED := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=golang.org/x/crypto/blowfish=-race=false

test-race: ## run the tests under the race detector
	@scripts/postgresql && scripts/redis && scripts/pgbouncer
	$(GO) test -timeout $(PATIENCE) -race $(UNWATCHED) -shuffle=on $$($(GO) list ./... | grep -v '/test$$')
	$(GO) test -timeout $(PATIENCE) -race $(UNWATCHED) -run '$(RACED)' ./test

attack: ## attack the gateway in every way we know, and print what got through
	@cd test && $(GO) test -count=1 -run '^TestAttack(_Races)?$$'

guides: ## run the commands of README and docs/, and compare what they print with what the pages show
	@cd test && $(GO) test -count=1 -v -run '^Test(Guides|QuickStart|CleanClone)'

test-nextcloud: ## run the contract of the Nextcloud clients against a real one
	NEXTCLOUD_CONTRACT=1 $(GO) test -count=1 -run Contract ./shared/nextcloud/... ./shared/webdav/... ./shared/provision

T ?= 30s
fuzz: ## fuzz every parser, each for T (30s)
	@scripts/fuzz $(T)

cold-start: ## measure the start of every function next to an empty one
	@COLD_START=1 $(GO) test -count=1 -v -run '^TestColdStart$$' ./test

flood: ## measure what a flood of logins does to others
	@FLOOD=1 $(GO) test -count=1 -v -run '^TestFlood$$' ./test

throughput: ## measure how fast files pass through
	@THROUGHPUT=1 $(GO) test -count=1 -v -run '^TestFiles_' ./test

lint: ## check the form: gofmt, vet, staticcheck
	@unformatted="$$(gofmt -l .)"; [ -z "$$unformatted" ] || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags sam,sslyze,verifiers,site,clients ./test
	$(GO) tool staticcheck ./...
	$(GO) mod verify

build: gateway $(foreach arch,arm64 amd64,$(FUNCTIONS:%=$(BUILD)/lambda/$(arch)/%/bootstrap)) ## build the binary and every function, for Lambda's both architectures

.PHONY: gateway
gateway:
	CGO_ENABLED=0 $(GO) build $(RELEASE) -o $(BUILD)/gateway ./cmd/gateway

# build/lambda/<architecture>/<function>/bootstrap; go build knows what is up to date.
.PHONY: FORCE
$(BUILD)/lambda/%/bootstrap: FORCE
	CGO_ENABLED=0 GOOS=linux GOARCH=$(firstword $(subst /, ,$*)) \
		$(GO) build $(RELEASE) -tags $(TAGS) -o $@ ./functions/$(lastword $(subst /, ,$*))/bootstrap

# SAM calls build-<logical id>, with ARTIFACTS_DIR. What changes the artifact
# changes the version that the alias leads to; parameters must, too, and stand in
# samconfig.toml.
LAMBDA_GOARCH ?= arm64
build-%Function:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_GOARCH) $(GO) build $(RELEASE) -buildvcs=false -tags $(TAGS) \
		-o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$$(echo $* | tr A-Z a-z)/bootstrap
	cksum < samconfig.toml > "$(ARTIFACTS_DIR)/parameters"

tls-check: ## check the TLS of the binary with sslyze, against Mozilla's "intermediate" profile
	@scripts/tls-check

verify-tokens: ## run the programs of docs/verify-tokens.md with the libraries that they are for
	@scripts/verify-tokens

site: ## build the documentation as a site, in build/site
	@scripts/site

clients: ## generate collections (clients/) and clients in TypeScript and Python (build/) from docs/openapi.json
	$(GO) run ./clients/generate clients
	@scripts/clients-generate || [ $$? = 69 ]

clients-check: ## run the collections and the example clients against the built gateway
	@scripts/clients-check

sam-check: ## check the template and build the functions with the AWS SAM CLI
	@scripts/sam-check

sam-local: ## run the functions as on AWS, on PostgreSQL and Nextcloud in containers
	@scripts/sam-local

sam-acceptance: ## play the acceptance script against sam local start-api (needs Docker)
	$(GO) test -tags sam -count=1 -v -run '^TestSAM_AnswersAlike$$' ./test

image: ## build the container image
	docker build --build-arg GATEWAY_VERSION -t voiceassist/gateway .

up: ## start gateway, PostgreSQL and Nextcloud in containers
	docker compose up --build --detach --wait

down: ## stop the containers; their data stays
	docker compose down

clean: ## remove what was built
	rm -rf $(BUILD)
