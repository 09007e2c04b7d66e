# The commands of the project; `make` lists them.

GO        ?= go
FUNCTIONS := register login mfa recover refresh logout users sessions keys audit ncprovision mail files page jwks health migrate
BUILD     := build
# The version of the build. SAM and Docker builds have no access to the Git history,
# so they get the version from the environment.
ifndef GATEWAY_VERSION
GATEWAY_VERSION := $(shell scripts/version)
endif
export GATEWAY_VERSION
RELEASE   := -trimpath -ldflags='-s -w -X github.com/voiceassist/gateway/shared/foundation/version.linked=$(GATEWAY_VERSION)'
# Build tags that remove code which functions do not need (docs/performance.md):
# Lambda's legacy RPC mode, HTTP/2, PostgreSQL types for Go values that no statement
# sends, and the validator's calls of methods by name, which make the linker keep all
# methods.
TAGS      := lambda.norpc,nethttpomithttp2,nopgxregisterdefaulttypes,validator_novalidatefn

.DEFAULT_GOAL := help
.PHONY: help run demo certs check test cost test-race attack guides test-nextcloud fuzz cold-start flood dashboard failures failures-page throughput load load-page growth growth-page bench lint vuln build image up down tls-check api-check verify-tokens site web web-check e2e clients clients-check sam-check sam-local sam-acceptance clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the gateway with the embedded database and a Nextcloud for development; GATEWAY_BINARY selects another binary
	@GO='$(GO)' exec scripts/run --devcloud serve --recheck-nextcloud

demo: ## run a complete scenario against the running gateway
	@scripts/demo

.PHONY: env
env: ## write .env for containers, with new secrets; an existing one stays as it is
	@scripts/env

certs: ## create a local certificate authority with mkcert, which browsers here trust, and the certificate of the containers
	@GO='$(GO)' scripts/certs --install

# The timeout of the tests of one package, on a busy machine.
TEST_TIMEOUT := 30m

# Packages whose tests need a server or build programs. In other packages, tests that
# need PostgreSQL have Postgres in their names, and -short skips PostgreSQL in tests
# that run on both engines. The invalid TEST_DATABASE_URL makes any other test that
# uses PostgreSQL fail.
NEED_SERVER := /bench$$|/release$$|/test$$|/shared/faas$$|/faastest$$|/functions/migrate$$|/redislimit|/redisprobe$$|/store/(migrations|postgres|storetest)$$

# The tests are compiled like the programs that they build, so that both use the same
# entries of the build cache. `make lint` runs vet.
GO_TEST := CGO_ENABLED=0 $(GO) test -trimpath -vet=off

check: lint ## run the linters and the tests that need no server (under a minute)
	TEST_DATABASE_URL=none $(GO_TEST) -short -parallel $(PARALLEL) -skip Postgres $$($(GO) list ./... | grep -vE '$(NEED_SERVER)')

# How many tests of a package run in parallel. Many wait for other processes, so this
# is more than the number of processors.
PARALLEL := 4

# The tests of the built programs take the longest, so they start first.
test: ## run all tests, on SQLite and PostgreSQL
	@scripts/postgresql && scripts/redis && scripts/pgbouncer && scripts/chromium && scripts/prometheus
	$(GO_TEST) -timeout $(TEST_TIMEOUT) -shuffle=on -parallel $(PARALLEL) ./test ./...
	cd deploy/kubernetes && $(GO_TEST) ./...

cost: ## count what each request costs, and write the counts that make test compares
	@scripts/postgresql
	$(GO_TEST) -count=1 -run '^TestCost$$' ./functions -update

# The tests of the built gateway that send many concurrent requests. The others, and
# those of release, gain nothing from the race detector.
RACE_TESTS := ^Test(Keys_RotationIsInvisibleToClients|Limits_TwoProcessesShareOneBudget)$$

# Turns the race detector off for packages that only compute: SQLite, which is
# translated from C, and the cipher of bcrypt. This halves the time of the tests.
RACE_EXCEPT := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=golang.org/x/crypto/blowfish=-race=false

test-race: ## run the tests under the race detector
	@scripts/postgresql && scripts/redis && scripts/pgbouncer
	$(GO) test -timeout $(TEST_TIMEOUT) -race $(RACE_EXCEPT) -shuffle=on -parallel $(PARALLEL) $$($(GO) list ./... | grep -vE '/(release|test)$$')
	$(GO) test -timeout $(TEST_TIMEOUT) -race $(RACE_EXCEPT) -run '$(RACE_TESTS)' ./test

attack: ## run all known attacks against the gateway, and print the results
	@cd test && $(GO) test -count=1 -run '^TestAttack(_Races)?$$'

guides: ## run the commands in README and docs/, and compare their output with the pages
	@cd test && $(GO) test -count=1 -v -run '^Test(Guides|QuickStart|CleanClone)'

test-nextcloud: ## run the contract tests of the Nextcloud clients against a real Nextcloud
	NEXTCLOUD_CONTRACT=1 $(GO) test -count=1 -run Contract ./shared/nextcloud/ocs/... ./shared/nextcloud/webdav/... ./shared/nextcloud/reconcile

T ?= 30s
fuzz: ## run each fuzz target for T (30s)
	@scripts/fuzz $(T)

cold-start: ## measure the start of the gateway, and of each function, compared with an empty one
	@COLD_START=1 $(GO) test -count=1 -v -run '^Test(ColdStart|Start_AnswersSoon)$$' ./test

flood: ## measure how a flood of logins affects other requests
	@FLOOD=1 $(GO) test -count=1 -v -run '^TestFlood$$' ./test

# Needs root for a small file system. The first run compiles a gateway whose clock can be
# moved, with all packages of the standard library.
FAIL := FAILURES=1 $(GO_TEST) -count=1 -timeout $(TEST_TIMEOUT) -v -run '^TestFailures$$/$(SCENARIO)' ./test
failures: ## let what the gateway depends on fail under load, and print what was lost and how long it took; SCENARIO selects some
	@scripts/postgresql && scripts/redis && scripts/pgbouncer
	$(FAIL)

failures-page: ## the same, and write the results into docs/failures.md
	@scripts/postgresql && scripts/redis && scripts/pgbouncer
	$(FAIL) -update

throughput: ## measure the speed of file transfers through the gateway
	@THROUGHPUT=1 $(GO) test -count=1 -v -run '^TestFiles_' ./test

# What make load measures; empty: everything.
SCENARIO ?=
ENGINE   ?= sqlite,postgres
C        ?= 1,16,64
ROUNDS   ?= 1
load: T = 3s
load: ## measure requests under load, next to the least they can cost; SCENARIO, ENGINE, C (clients), T (3s for each measurement), ROUNDS
	@scripts/postgresql
	CGO_ENABLED=0 $(GO) run ./bench measure -scenario='$(SCENARIO)' -engine='$(ENGINE)' -c='$(C)' -t='$(T)' -rounds='$(ROUNDS)'

load-page: ## write the results of make load into docs/performance.md
	$(GO) run ./bench page

GROWTH := GROWTH=1 $(GO_TEST) -count=1 -timeout $(TEST_TIMEOUT) -v -run '^TestGrowth$$' ./bench/growth
growth: ## compare each call of the API on databases with a thousand and with a million users
	@scripts/postgresql
	$(GROWTH)

growth-page: ## the same, and write the results into docs/performance.md
	@scripts/postgresql
	$(GROWTH) -update

# Tests that write to the database by themselves, or measure how long it waits, do not
# expect failures.
EXPECT_NO_CONFLICTS := ^Test(Update_RollsBackOnErrorAndPanic|Sweep_|Outcome_|Housekeeping_|DeleteExpiredLogins_|IndexAccounts_|SearchAccounts_|Emails_|CanonicalizeEmails_|CreateSession_EnforcesTheLimit|CreateAccount_RejectsEvery|Cost|Keys_LastUseIsWrittenOnceAMinute)
.PHONY: conflicts
conflicts: ## run the tests of the store and the functions with one in ten writes and commits failing, as in a distributed database
	@scripts/postgresql
	TEST_CONFLICTS=10 $(GO_TEST) -timeout $(TEST_TIMEOUT) -skip '$(EXPECT_NO_CONFLICTS)' ./shared/store ./functions/...

# What make scale measures.
.PHONY: scale scale-page
USERS ?= 1000,100000,1000000
scale: T = 3s
scale: ENGINE = postgres,sqlite
scale: ## measure requests, backups and housekeeping with a thousand to a million USERS, in ten minutes; ENGINE, T (3s for each measurement)
	@scripts/postgresql
	CGO_ENABLED=0 $(GO) run ./bench scale -users='$(USERS)' -engine='$(ENGINE)' -t='$(T)'

scale-page: ## write the results of make scale into docs/scale.md
	$(GO) run ./bench scale-page

.PHONY: migration
migration: ## migrate a database of the first release with a million users, and measure how long requests wait
	@scripts/postgresql
	MIGRATION=1 $(GO_TEST) -count=1 -timeout $(TEST_TIMEOUT) -v -run '^TestMigration$$' ./bench/growth

dashboard: T = 5m
dashboard: ## draw docs/dashboard.svg: what Prometheus knows of a gateway after T (5m) of load
	@scripts/prometheus
	@DASHBOARD=$(T) $(GO) test -count=1 -v -run '^TestDashboard$$' ./test

BENCH ?= .
bench: ## run the Go benchmarks that match BENCH, and compare them with those of the first run
	@GO='$(GO)' scripts/bench '$(BENCH)'

lint: ## run golangci-lint with the linters in .golangci.yml
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...
	$(GO) mod verify

vuln: ## find known vulnerabilities in Go and the dependencies that the code can reach
	@GO='$(GO)' scripts/vuln

build: gateway $(foreach arch,arm64 amd64,$(FUNCTIONS:%=$(BUILD)/lambda/$(arch)/%/bootstrap)) ## build the binary, and each function for both Lambda architectures

.PHONY: gateway
gateway:
	@CGO_ENABLED=0 GO='$(GO)' scripts/compile $(BUILD)/gateway ./cmd/gateway $(RELEASE)

# build/lambda/<architecture>/<function>/bootstrap. go build skips what is up to date.
.PHONY: FORCE
$(BUILD)/lambda/%/bootstrap: FORCE
	CGO_ENABLED=0 GOOS=linux GOARCH=$(firstword $(subst /, ,$*)) \
		$(GO) build $(RELEASE) -tags $(TAGS) -o $@ ./functions/$(lastword $(subst /, ,$*))/bootstrap

# SAM calls build-<logical ID> and sets ARTIFACTS_DIR. A changed artifact is published
# as a new version. So must changed parameters be, so the artifact contains the
# checksum of samconfig.toml.
LAMBDA_GOARCH ?= arm64
build-%Function:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_GOARCH) $(GO) build $(RELEASE) -buildvcs=false -tags $(TAGS) \
		-o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$$(echo $* | tr A-Z a-z)/bootstrap
	cksum < samconfig.toml > "$(ARTIFACTS_DIR)/parameters"

api-check: T = 5m
api-check: ## compare the binary with docs/openapi.json, using schemathesis for T (5m)
	@scripts/api-check $(T)

tls-check: ## check the binary against Mozilla's "intermediate" TLS profile, using sslyze
	@scripts/tls-check

verify-tokens: ## run the programs in docs/verify-tokens.md with their libraries
	@scripts/verify-tokens

site: ## build the documentation site in build/site
	@scripts/site

web: ## build the page for people from web/ into functions/page/dist
	@scripts/web

# Where make e2e writes pictures of the views; empty: nowhere.
SCREENSHOTS ?=
e2e: ## take people through all views of the page in Chromium, with axe; SCREENSHOTS=docs/screenshots makes pictures
	@scripts/chromium
	@scripts/npm web build/web || [ $$? = 69 ]
	AXE=$$(ls "$(CURDIR)/build/web/node_modules/axe-core/axe.min.js") SCREENSHOTS='$(abspath $(SCREENSHOTS))' \
		$(GO_TEST) -tags e2e -count=1 -v -parallel 2 -run '^TestPage' ./test
	@[ -z '$(SCREENSHOTS)' ] || scripts/pictures '$(abspath $(SCREENSHOTS))'

web-check: ## check that functions/page/dist is what web/ builds into
	@scripts/web --check

clients: ## generate the collections (clients/) and the TypeScript and Python clients (build/) from docs/openapi.json
	$(GO) run ./clients/generate clients
	@scripts/clients-generate || [ $$? = 69 ]

clients-check: ## run the collections and the example clients against the built gateway
	@scripts/clients-check

sam-check: ## check the template and build the functions, using the AWS SAM CLI
	@scripts/sam-check

sam-local: ## run the functions as on AWS, with PostgreSQL and Nextcloud in containers
	@scripts/sam-local

sam-acceptance: ## run the acceptance script against sam local start-api (needs Docker)
	$(GO) test -tags sam -count=1 -v -run '^TestSAM_AnswersAlike$$' ./test

image: ## build the container image
	docker build --build-arg GATEWAY_VERSION -t voiceassist/gateway .

up: ## start the gateway, PostgreSQL and Nextcloud in containers; make env writes their settings
	@[ -f secrets/tls.crt ] || GO='$(GO)' scripts/certs
	@docker compose run --rm secrets
	docker compose up --build --detach --wait

down: ## stop the containers and keep their data
	docker compose down

.PHONY: stack-test
stack-test: ## test docker-compose.yml with a Docker engine, which it starts if it can
	@GO='$(GO)' scripts/stack-test

.PHONY: tag release release-check
tag: ## tag this commit as VERSION; CHANGELOG.md must have a section for it
	@scripts/tag '$(VERSION)'

# The systems for which a release has the gateway.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

release: ## build the files of a release from this commit in build/release, always with the same bytes; PLATFORMS, FUNCTIONS
	@CGO_ENABLED=0 $(GO) run -trimpath ./release -out $(BUILD)/release -version '$(GATEWAY_VERSION)' \
		-platforms '$(PLATFORMS)' -functions '$(FUNCTIONS)' -tags $(TAGS) -- $(RELEASE)

release-check: ## build the files of a release twice, in different folders and settings, and compare their bytes
	@RELEASE_CHECK=1 $(GO_TEST) -count=1 -timeout $(TEST_TIMEOUT) -v -run '^TestRelease_HasTheSameBytes$$' ./release

clean: ## remove all build results
	rm -rf $(BUILD)
