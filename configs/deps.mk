# Where the libraries come from: pkg-config. A static libyaml is taken where
# there is one: it costs less at start than a shared one.
DEPS := yaml-0.1 libcjson
ifeq ($(filter clean help demo check boot install-deps,$(MAKECMDGOALS)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(DEPS) 2>/dev/null && echo yes),yes)
$(error libyaml and cJSON are needed: run 'make install-deps', or install them \
	(Debian: libyaml-dev libcjson-dev pkg-config; Alpine: yaml-dev cjson-dev; Fedora: libyaml-devel cjson-devel))
endif
endif
DEPS_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(DEPS) 2>/dev/null)
yaml-archive := $(wildcard $(shell $(PKG_CONFIG) --variable=libdir yaml-0.1 2>/dev/null)/libyaml.a)
DEPS_LIBS = $(if $(yaml-archive),$(yaml-archive) $(shell $(PKG_CONFIG) --libs libcjson 2>/dev/null),$(shell \
	$(PKG_CONFIG) --libs $(DEPS) 2>/dev/null))
