# Tests, checks, benchmarks. Included by the Makefile.

# `make fuzz T=60`: seconds for each fuzzer.
FUZZ_SECONDS := $(or $(T),60)
tests-out := $(O)/tests
unit-src := $(filter-out $(if $(CONFIG_HTTP),,tests/unit/http.c),$(wildcard tests/unit/*.c))
unit-bin := $(unit-src:tests/unit/%.c=$(tests-out)/%)
# What is no cmocka program but a tool of the integration tests.
unit-tools := $(tests-out)/unitdump
unit-run := $(filter-out $(unit-tools),$(unit-bin))
bench-bin := $(patsubst tests/bench/%.c,$(tests-out)/bench/%,$(wildcard tests/bench/*.c))

$(tests-out)/%: tests/unit/%.c $(O)/libzinit.a $(O)/flags
	$(call say,TEST)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -UNDEBUG -Itests/unit -MMD -MP -MT $@ -MF $@.d -o $@ $< $(O)/libzinit.a $(ALL_LDFLAGS) \
		$(DEPS_LIBS) -lcmocka -ldl

# Servers with the HTTP code of the proxy and nothing behind it, for conformance suites.
server-bin := $(if $(CONFIG_HTTP),$(patsubst tests/servers/%.c,$(tests-out)/%,$(wildcard tests/servers/*.c)))
$(server-bin): $(tests-out)/%: tests/servers/%.c $(O)/libzinit.a $(O)/flags
	$(call say,TEST)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MT $@ -MF $@.d -o $@ $< $(O)/libzinit.a $(ALL_LDFLAGS) $(DEPS_LIBS)
test-servers: $(server-bin)

$(tests-out)/bench/%: tests/bench/%.c
	$(call say,BENCH)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -o $@ $< 2>/dev/null || \
		$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -o $@ $<

# The first python that has pytest and its parallel runner, else one with pytest.
pythons := $(PYTHON) /usr/bin/python3
pytest = $(shell for p in $(pythons); do $$p -c 'import pytest, xdist' 2>/dev/null && { \
	echo $$p -m pytest -n 8; exit; }; done; for p in $(pythons); do $$p -c 'import pytest' 2>/dev/null && { \
	echo $$p -m pytest; exit; }; done)
export ASAN_OPTIONS ?= detect_leaks=1:abort_on_error=1
export UBSAN_OPTIONS ?= print_stacktrace=1

check:
	$(Q)sh configs/install-deps.sh build test $(if $(CONFIG_TLS),tls)
	$(Q)$(MAKE) --no-print-directory check-unit check-integration

check-unit: $(unit-bin)
	$(Q)set -e; for t in $(unit-run); do $$t; done

check-integration: all test-servers $(unit-tools)
	$(Q)ZINIT=$(abspath $(O)/zinit) ZINIT_BUILD=$(abspath $(O)) PYTHONDONTWRITEBYTECODE=1 \
		$(pytest) -p no:cacheprovider -q $(PYTEST_ARGS) tests/integration

# N=50: how many random ones; SEED=1: of the first.
check-configs:
	$(Q)sh configs/install-deps.sh build test
	$(Q)MAKE="$(MAKE)" sh tests/configs.sh $(O)/configs $(or $(N),50) $(or $(SEED),1)

# Of another kind of machine; ZINIT_SAMPLE=I/N runs one test of N.
check-cross:
	$(Q)sh configs/install-deps.sh build test emulator
	$(Q)$(MAKE) --no-print-directory test-servers $(unit-tools)
	$(Q)$(MAKE) --no-print-directory cross ARCH=$(ARCH)
	$(Q)ZINIT_BUILD=$(abspath $(O)) sh tests/cross.sh $(O)-$(ARCH) $(ARCH) $(pytest) $(PYTEST_ARGS)

# ---- fuzzers ----

FUZZ_CC ?= clang
fuzz-src := $(filter-out $(if $(CONFIG_HTTP),,tests/fuzz/http_%.c tests/fuzz/ws_%.c),$(wildcard tests/fuzz/*.c))
fuzz-bin := $(fuzz-src:tests/fuzz/%.c=$(O)/fuzz/%)

fuzz-cc = $(FUZZ_CC) $(ALL_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined
fuzz-obj := $(lib-src:%.c=$(O)/fuzz/obj/%.o)

$(O)/fuzz/obj/%.o: %.c $(O)/config.h $(O)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(fuzz-cc) -MMD -MP -c -o $@ $<
$(O)/fuzz/obj/lib/control/discover.o: $(O)/openrpc.h

$(O)/fuzz/obj/lib.a: $(fuzz-obj)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(O)/fuzz/%: tests/fuzz/%.c $(O)/fuzz/obj/lib.a
	$(call say,FUZZ)
	$(Q)$(fuzz-cc) -fsanitize=fuzzer,address,undefined -o $@ $< $(O)/fuzz/obj/lib.a $(DEPS_LIBS)

# One on each processor.
fuzz: $(fuzz-bin)
	$(Q)printf '%s\n' $(fuzz-bin) | xargs -P $$(nproc) -I F sh -c 'f=F; mkdir -p $$f.corpus; \
		$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 -artifact_prefix=$(O)/fuzz/ \
			$$f.corpus tests/fuzz/corpus/$${f##*/} >$$f.log 2>&1 || { cat $$f.log; exit 1; }; \
		echo "$${f##*/}: clean after $$(sed -n "s/^stat::number_of_executed_units: *//p" $$f.log) inputs"'

# ---- bench ----

bench: all $(bench-bin)
	$(Q)ZINIT=$(abspath $(O)/zinit) BENCH_BIN=$(abspath $(tests-out)/bench) $(PYTHON) tests/bench/run.py $(BENCH)

# ---- process 1 of a machine ----

boot:
	$(Q)sh configs/install-deps.sh build boot $(if $(ARCH),boot-$(ARCH))
	$(Q)$(MAKE) --no-print-directory $(if $(ARCH),cross,static) || $(MAKE) --no-print-directory all
	$(Q)ARCH=$(ARCH) $(PYTHON) tests/boot/run.py \
		$$(ls -t $(O)-$(or $(ARCH),static)/zinit $(O)/zinit 2>/dev/null | head -1) $(O)/boot$(ARCH:%=-%) $(STORY)

.PHONY: test-servers boot check check-unit check-integration fuzz bench lint

lint: all
	$(Q)sh tests/lint.sh $(O) $(ALL_CFLAGS)
