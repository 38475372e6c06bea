# SPDX-License-Identifier: Apache-2.0
# The front door. Needs only Debian 12, make and a compiler: each target installs the Debian packages it
# lacks (tools/deps, as root or through sudo), builds with Meson and Ninja, and runs.
#   make            build            make demo       see it work, with a real PostgreSQL
#   make check      all tests        make install    DESTDIR= PREFIX=
#   make bench      compare with others     asan, tsan, fuzz, soak, tidy, format, format-check, clean
BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
FUZZ_SECONDS ?= 30
PROGRAMS = holdfast holdfast-guard holdfast-writer-postgresql

.PHONY: all configure deps demo check install bench asan tsan fuzz soak tidy format format-check clean

all: configure
	@ninja -C $(BUILD) -j $(JOBS)

configure:
	@tools/deps build test
	@tools/configure $(BUILD) -Dprefix=$(PREFIX) $(OPTIONS)

deps:
	@tools/deps build test lint bench

# The programs alone: the tests are most of the building, and nobody waits for them here.
demo: configure
	@ninja -C $(BUILD) -j $(JOBS) $(PROGRAMS)
	@tools/demo $(BUILD)

check: all
	@tools/check/tests $(BUILD)

install: configure
	@ninja -C $(BUILD) -j $(JOBS)
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

bench: all
	@tools/deps bench
	@bench/run --build $(BUILD) $(BENCH_ARGS)

asan tsan:
	@tools/deps build test lint
	@tools/check/sanitizer $@

fuzz:
	@tools/deps build test lint
	@tools/check/fuzz $(FUZZ_SECONDS)

soak: all
	@tools/check/soak $(BUILD) $(SOAK_TESTS)

tidy:
	@tools/deps build test lint
	@tools/check/tidy

format format-check:
	@tools/deps lint
	@tools/check/format $(if $(filter format,$@),--fix)

clean:
	rm -rf build build-*/
