# Every target does all the set-up it needs, in .venv/, node_modules/ and .mintline/; see devstack/bootstrap.py.

N ?= 1000
USERS ?= 50
FIRST ?= 1
SEEDS ?= 20
MINTS ?= 1000
SPONSORED ?= 0
ITEMS ?= 0.05
PROFILE ?= $(if $(filter-out 0,$(SPONSORED)),sponsored$(if $(filter lone,$(SPONSORED)),-lone),burst)
LINES ?= 10000
BAD ?= 42
EVERY ?= 20

# What changes how every Python program runs is the user's own, and not for these.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONINSPECT PYTHONNOUSERSITE \
	PYTHONPLATLIBDIR PYTHONCASEOK PYTHONIOENCODING PYTHONBREAKPOINT PYTHONASYNCIODEBUG PYTHONDEVMODE \
	PYTHONTRACEMALLOC PYTHONPROFILEIMPORTTIME PYTHONVERBOSE PYTHONSAFEPATH PYTHONEXECUTABLE
PYTHON := $(shell unset PYTHONPATH PYTHONHOME; for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { command -v "$$p"; break; }; done)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup up demo test test-fast test-containers lint style types bench bench-enclave bench-growth simulate chaos chaos-drop \
	soak infra clients openapi wheels packages image images push eif boot-enclave screenshots clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install everything the other targets need (they do so themselves)
	@test -n "$(PYTHON)" || { echo "setup: error: Python 3.11, 3.12 or 3.13 is needed" >&2; exit 1; }
	@"$(PYTHON)" devstack/bootstrap.py

up: setup ## Start the local stack and keep it running until Ctrl-C
	@.venv/bin/mintline up

demo: setup ## Mint one NFT through the local stack, check it on chain, print it as JSON
	@.venv/bin/mintline demo

test-fast: setup ## Run the tests that need no emulator and are not slow, on all processors
	@.venv/bin/pytest tests/unit tests/contract -m "not slow" -n logical --dist loadscope --max-worker-restart=0 -q

test: setup ## Run all tests, on all processors; says which were skipped and why
	@echo "test: all tests (about 10,000; 25 minutes on two cores), on all processors; make test-fast runs those that need no emulator"
	@.venv/bin/pytest tests -n logical --dist loadscope --max-worker-restart=0 -rs

test-containers: setup ## Run the end-to-end tests against containers built from this checkout
	@.venv/bin/pytest tests/e2e --stack containers -rs

lint: style types ## Check style, format, types, package boundaries and the lock
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/uv lock --check

style: setup ## Check style and format alone, as the pre-commit hook does
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup ## Check types alone, as the pre-commit hook does
	@.venv/bin/mypy

# What was given, in words or by the environment, and what the profile says otherwise.
given = $(if $(filter command environment,$(firstword $(origin $1))),$2 $($1))
bench: setup ## Measure the pipeline: make bench PROFILE=burst (N=, USERS=, RATE=, RUNS=, JSON=, HOT_KEYS=1, LIMIT_KEYS=1000); the profiles: docs/performance.md
	@.venv/bin/python -m $(if $(HOT_KEYS)$(LIMIT_KEYS),mintline_harness.hot_keys,mintline_bench) --profile $(PROFILE) $(call given,N,--mints) $(call given,USERS,--users) \
		$(call given,RATE,--rate) $(call given,RUNS,--runs) $(call given,JSON,--json) \
		$(call given,LIMIT_KEYS,--limit)

bench-enclave: setup ## Measure the enclave alone, through its socket: make bench-enclave N=10000
	@.venv/bin/python -m mintline_bench.enclave --pairs $(if $(filter command,$(origin N)),$(N),10000)

bench-growth: setup ## Do lists and the sweep cost more with more records: make bench-growth SIZES="1000 100000", or DAYS=30 of blocks
	@.venv/bin/python -m mintline_harness.growth $(if $(DAYS),--days $(DAYS),--sizes $(or $(SIZES),1000 100000))

simulate: setup ## Run the services through seeded schedules of faults: make simulate N=1000, or SEED=7 to replay one
	@.venv/bin/python -m mintline_harness.simulation \
		$(if $(SEED),--seed $(SEED),--count $(N)) $(if $(PLANT),--plant $(PLANT))

chaos: setup ## Break the real processes under load: make chaos SEEDS=20 MINTS=1000
	@.venv/bin/python -m mintline_harness.chaos --first $(FIRST) --seeds $(SEEDS) --mints $(MINTS) \
		--sponsored $(SPONSORED) --items $(ITEMS)

chaos-drop: setup ## Kill every service every 20 s under a drop whose upload is cut twice: make chaos-drop LINES=10000 BAD=42
	@.venv/bin/python -m mintline_harness.chaos.drop --first $(FIRST) --lines $(LINES) --bad $(BAD) --every $(EVERY)

soak: setup ## Load the stack with 20 mints a second for 20 minutes, and tell whether any service grows
	@.venv/bin/python -m mintline_harness.soak

infra: setup ## Synthesize the AWS stacks offline, and check them: types, tests, cfn-lint, cdk-nag, checkov
	@UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV= .venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python .venv/checkov
	@UV_SYSTEM_CERTS=true VIRTUAL_ENV= .venv/bin/uv pip sync --quiet --require-hashes \
		--python .venv/checkov/bin/python tools/checkov/requirements.txt
	@cd infra && UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true VIRTUAL_ENV= ../.venv/bin/uv sync --quiet \
		--project . --python ../.venv/bin/python
	@cd infra && .venv/bin/mypy
	@cd infra && MINTLINE_CHECKOV=required .venv/bin/pytest

VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml)
REVISION = $(shell git rev-parse HEAD)
PLATFORM ?= linux/amd64
# How each image is built.
IMAGE_api := --file services/Dockerfile --build-arg SERVICE=api
IMAGE_builder := --file services/Dockerfile --build-arg SERVICE=builder
IMAGE_broadcaster := --file services/Dockerfile --build-arg SERVICE=broadcaster
IMAGE_indexer := --file services/Dockerfile --build-arg SERVICE=indexer
IMAGE_notifier := --file services/Dockerfile --build-arg SERVICE=notifier
IMAGE_signer-host := --file services/signer-enclave/Dockerfile --target host
IMAGE_signer-enclave := --file services/signer-enclave/Dockerfile --target enclave
# Those that are deployed as images; the enclave's becomes an EIF.
IMAGES := api builder broadcaster indexer notifier signer-host
BUILD = docker buildx build --platform $(PLATFORM) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION)
# Pushed by digest, with a bill of materials (SPDX) and the provenance beside it.
PUSHED = --sbom=true --provenance=mode=max --metadata-file dist/$(IMAGE).json \
	--output type=image,name=$(REGISTRY)/$(IMAGE),push-by-digest=true,name-canonical=true,push=true

clients: setup ## Write the parts of the clients that are made of the OpenAPI document
	@.venv/bin/python client/tools/generate.py

openapi: setup ## Hold the OpenAPI document to a strict linter and to others' generators of clients
	@UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV= .venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python .venv/openapi
	@UV_SYSTEM_CERTS=true VIRTUAL_ENV= .venv/bin/uv pip sync --quiet --require-hashes \
		--python .venv/openapi/bin/python tools/openapi/requirements.txt
	@MINTLINE_OPENAPI_TOOLS=required .venv/bin/pytest tests/integration/openapi -q

wheels: setup ## Build the wheels of all Python packages into dist/
	@.venv/bin/uv build --quiet --all-packages --wheel --out-dir dist
	@.venv/bin/uv build --quiet --wheel --out-dir dist infra

packages: wheels ## Build everything that is published as a package: the wheels, and the TypeScript client
	@node clients/typescript/pack.mjs dist

image: ## Build an image: make image IMAGE=api PLATFORM=linux/arm64; REGISTRY=… pushes it by digest
	@test -n "$(IMAGE_$(IMAGE))" || { echo "image: error: pass IMAGE=api or another service's image" >&2; exit 2; }
	@mkdir -p dist
	@$(BUILD) $(IMAGE_$(IMAGE)) $(if $(REGISTRY),$(PUSHED),--load --tag mintline/$(IMAGE):$(VERSION)) .

images: ## Build the images of all services, as `make image` does each: make images PLATFORM=linux/arm64
	@for image in $(IMAGES); do $(MAKE) --no-print-directory image IMAGE=$$image REGISTRY= || exit; done

push: ## Push the images of all services by digest, and print the digests: make push REGISTRY=… PLATFORM=linux/arm64
	@test -n "$(REGISTRY)" || { echo "push: error: pass REGISTRY, such as HOST/PREFIX" >&2; exit 2; }
	@for image in $(IMAGES); do $(MAKE) --no-print-directory image IMAGE=$$image || exit; done
	@for image in $(IMAGES); do sed -n "s/.*\"containerimage.digest\": \"\([^\"]*\)\".*/$$image \1/p" dist/$$image.json; done

eif: setup ## Build the enclave image of a deployment into dist/: make eif REGION=… KMS_KEY=ARN BLOBS=FOLDER
	@test -n "$(REGION)" -a -n "$(KMS_KEY)" -a -n "$(BLOBS)" \
		|| { echo "eif: error: pass REGION, KMS_KEY and BLOBS" >&2; exit 2; }
	@$(MAKE) --no-print-directory image IMAGE=signer-enclave PLATFORM=$(PLATFORM)
	@docker save mintline/signer-enclave:$(VERSION) --output dist/signer-enclave.tar
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) .venv/bin/mintline eif build dist/signer-enclave.tar \
		--blobs "$(BLOBS)" $(if $(POLICY),--policy "$(POLICY)") \
		--env MINTLINE_ENCLAVE_ADDRESS=vsock://any:5000 --env MINTLINE_KMS_PROXY_ADDRESS=vsock://3:8000 \
		--env MINTLINE_KMS_ENDPOINT_URL=https://kms.$(REGION).amazonaws.com --env MINTLINE_KMS_KEY_ID=$(KMS_KEY) \
		--out dist/signer-$(VERSION).eif
	@.venv/bin/mintline eif pcrs dist/signer-$(VERSION).eif --json > dist/signer-$(VERSION).pcrs.json
	@cat dist/signer-$(VERSION).pcrs.json

boot-enclave: setup ## Boot the enclave's image under QEMU and mint by it; the first run builds the machine, as root
	@tools/boot/build .machine
	@docker build --quiet $(IMAGE_signer-enclave) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
		--tag mintline-boot/signer-enclave . >/dev/null
	@mkdir -p dist
	@docker save mintline-boot/signer-enclave --output dist/boot-enclave.tar
	@.venv/bin/python -m mintline_harness.boot --machine .machine --image dist/boot-enclave.tar

screenshots: setup ## Take the pictures of the console in docs/ again, with Debian's Chromium
	@.venv/bin/python -m mintline_harness.screenshots docs

clean: ## Forget the stack's state: chain, queues, keys, logs
	@if [ -x .venv/bin/mintline ]; then .venv/bin/mintline clean; else echo "nothing to remove"; fi
