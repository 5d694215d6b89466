# Two commands matter: `make test` proves everything, `make bench` measures it. The rest are parts of these.
GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZINPUTS  ?= 5000x

.PHONY: test lint unit fuzz clients install-clients bench build demo

test: install-clients lint unit fuzz clients ## everything: linters, unit tests with the race detector, fuzzing, real clients
	@echo "make test: all passed"

build: ## the binary, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/treaty ./cmd/treaty

demo: ## the articles' flow in one process
	$(GO) run ./cmd/treaty demo

lint:
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || (echo "gofmt -w these files" >&2; exit 1)
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod verify >/dev/null
	scripts/tidy-check.sh

unit: ## every test but the real clients
	$(GO) test -race -shuffle=on -timeout 30m $$($(GO) list ./... | grep -v /clients)

fuzz: ## each fuzz target with FUZZINPUTS inputs
	scripts/fuzz.sh $(FUZZINPUTS)

clients: build ## unmodified aws, az, boto3, MSAL, Terraform and Node clients against a real server
	$(GO) test -count=1 -timeout 30m ./clients/...

install-clients: ## what the client tests need, from Debian, npm and the Go module proxy, when missing and permitted
	scripts/install-clients.sh

bench: ## figures as ratios to floors measured in the same run; see docs/performance.md
	$(GO) test -run '^$$' -bench . -benchtime 3s ./bench/...
