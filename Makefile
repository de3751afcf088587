# A thin front: the build is meson's, the set-up deps/setup.sh's, the tests'
# summary tests/run.py's. Every target does the set-up that is missing first.

PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
export PYTHONDONTWRITEBYTECODE = 1

ifeq ($(SANITIZE),1)
BUILD ?= build-asan
OPTIONS += -Db_sanitize=address,undefined -Db_lundef=false
TEST_OPTIONS += --without lint
else
BUILD ?= build
endif
PREFIX ?= /usr/local
BINARY = $(BUILD)/dotstub
FUZZ_BUILD ?= build-fuzz
FUZZ_SECONDS ?= 60
SEEDS ?= 2000
DAYS ?= 10

.DEFAULT_GOAL := all
.PHONY: all program program-and-tests demo test sim run install release bench \
	fuzz format lint clean help

all: program ## build the program (build/dotstub)
	@echo "$(BINARY) is built"

program:
	@deps/setup.sh build
	@deps/configure.sh $(BUILD) without-tests $(OPTIONS)
	@ninja -C $(BUILD) --quiet dotstub

program-and-tests:
	@deps/setup.sh test
	@deps/configure.sh $(BUILD) with-tests $(OPTIONS)
	@ninja -C $(BUILD) --quiet

demo: ## show a query go in over UDP and TCP and out over TLS (KEEP=1: leave it running)
	@deps/setup.sh demo
	@deps/configure.sh $(BUILD) without-tests $(OPTIONS)
	@ninja -C $(BUILD) --quiet dotstub
	@$(PYTHON) tests/e2e/demo.py --binary $(BINARY) $(if $(KEEP),--keep)

test: program-and-tests ## run the tests (SUITE=unit: a part; SANITIZE=1: under ASan and UBSan)
	@$(if $(filter container,$(SUITE)),deps/setup.sh container)
	@$(if $(filter package,$(SUITE)),deps/setup.sh package)
	@$(PYTHON) tests/run.py --build $(BUILD) $(TEST_OPTIONS) \
		$(addprefix --suite ,$(SUITE))

sim: program-and-tests ## run many seeds of the simulation (SEEDS=2000, DAYS=10, SEED=1)
	@$(BUILD)/tests/sim/sim_dotstub --seeds $(SEEDS) $(addprefix --seed ,$(SEED))
	@$(BUILD)/tests/sim/sim_dotstub --day --seeds $(DAYS) \
		$(addprefix --seed ,$(SEED))

run: program ## run it with config/dotstub.yaml, on port 5300
	@echo "config/dotstub.yaml: ask with dig @127.0.0.1 -p 5300, stop with Ctrl-C"
	@$(BINARY) run -c config/dotstub.yaml

install: program ## install it (PREFIX=/usr/local, DESTDIR=)
	@deps/configure.sh $(BUILD) prefix "$(PREFIX)"
	@ninja -C $(BUILD) --quiet dotstub
	@meson install -C $(BUILD) --no-rebuild

release: ## make the static program, its checksum and its SBOM in dist/
	@deps/release.sh dist

bench: program ## measure it beside others (BENCH="--quick": its options)
	@$(PYTHON) tests/bench/bench.py $(BENCH)

fuzz: ## run every fuzz target (FUZZ_SECONDS=60 each)
	@deps/setup.sh fuzz
	@CC=clang deps/configure.sh $(FUZZ_BUILD) with-tests -Dfuzzers=true \
		-Dc_args=-fsanitize=fuzzer-no-link \
		-Db_sanitize=address,undefined -Db_lundef=false
	@tests/run_fuzzers.sh $(FUZZ_BUILD) $(FUZZ_SECONDS)

format: ## lay the C files out as .clang-format says
	@find src tests -name '*.[ch]' -exec clang-format -i {} +

lint: program-and-tests ## run the checks of the sources alone
	@$(PYTHON) tests/run.py --build $(BUILD) --suite lint

clean: ## remove the build folders
	@rm -rf build build-asan build-fuzz build-release dist

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		expand -t 10
