# Where libyaml and, for TLS, mbedTLS come from: pkg-config, or with DEPS=src their sources,
# which are compiled like the rest and of which only what is called stays in the program.
# LIBSRC=DIR holds them as DIR/libyaml and DIR/mbedtls; `make fetch-src` fills it.
DEPS ?= system
LIBSRC ?= build/src
deps-packages := libyaml mbedtls

ifeq ($(DEPS),src)

deps-obj := $(patsubst %,$(O)/deps/libyaml/%.o,api reader scanner parser)
DEPS_CFLAGS := -isystem $(LIBSRC)/libyaml/include -DYAML_DECLARE_STATIC
ifeq ($(CONFIG_TLS),y)
deps-obj += $(patsubst $(LIBSRC)/mbedtls/library/%.c,$(O)/deps/mbedtls/%.o,$(wildcard $(LIBSRC)/mbedtls/library/*.c))
DEPS_CFLAGS += -isystem $(LIBSRC)/mbedtls/include -DMBEDTLS_CONFIG_FILE='"$(CURDIR)/configs/mbedtls_config.h"'
endif
DEPS_LIBS := $(O)/libdeps.a
$(O)/zinit: $(DEPS_LIBS)

# The version is asked for by one function that nothing calls.
yaml-flags := -DYAML_VERSION_STRING='""' -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=0 -DYAML_VERSION_PATCH=0
deps-cc = $(CC) -std=gnu11 -D_GNU_SOURCE -DNDEBUG -w $(DEPS_CFLAGS) $(SECTIONS) $(SANFLAGS) $(CFLAGS)

# Beside a copy of the source stands our form of its private header; SKIP, SKIP_LINE, READ
# and READ_LINE come from there.
$(O)/deps/libyaml/%.c: $(LIBSRC)/libyaml/src/%.c $(LIBSRC)/libyaml/src/yaml_private.h configs/yaml_private.h
	$(Q)mkdir -p $(@D)
	$(Q)cp configs/yaml_private.h $(@D)/
	$(Q)cp $(LIBSRC)/libyaml/src/yaml_private.h $(@D)/yaml_private_full.h
	$(Q)sed '/^#define \(SKIP\|READ\)\(_LINE\)\?(/,/^$$/d' $< >$@
.PRECIOUS: $(O)/deps/libyaml/%.c

$(O)/deps/libyaml/%.o: $(O)/deps/libyaml/%.c $(O)/flags
	$(call say,CC)
	$(Q)$(deps-cc) $(yaml-flags) -c -o $@ $<

$(O)/deps/mbedtls/%.o: $(LIBSRC)/mbedtls/library/%.c configs/mbedtls_config.h $(O)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(deps-cc) -c -o $@ $<

$(O)/libdeps.a: $(deps-obj)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crsD $@ $^

$(LIBSRC)/libyaml/src/%.c $(LIBSRC)/libyaml/src/%.h:
	@echo "no $@: run 'make fetch-src', or name the place of the sources with LIBSRC=DIR" >&2; exit 1

else

deps-pc := yaml-0.1
ifeq ($(filter clean help demo check boot install-deps $(no-deps-goals),$(MAKECMDGOALS)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(deps-pc) 2>/dev/null && echo yes),yes)
$(error libyaml is needed: run 'make install-deps', or install it \
	(Debian: libyaml-dev pkg-config; Alpine: yaml-dev; Fedora: libyaml-devel))
endif
endif
DEPS_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(deps-pc) 2>/dev/null)
# A static libyaml is taken where there is one, but for DEPS=shared: it costs less at start.
yaml-archive := $(if $(filter-out shared,$(DEPS)), $(wildcard $(shell $(PKG_CONFIG) --variable=libdir yaml-0.1 2>/dev/null)/libyaml.a))
DEPS_LIBS = $(or $(yaml-archive),$(shell $(PKG_CONFIG) --libs $(deps-pc) 2>/dev/null)) \
	$(if $(CONFIG_TLS),-lmbedtls -lmbedx509 -lmbedcrypto)

endif

fetch-src:
	$(Q)sh configs/fetch-src.sh $(LIBSRC) $(deps-packages)
.PHONY: fetch-src
