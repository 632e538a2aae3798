# zinit: build, test, install. `make help` lists the targets.
# O=DIR builds elsewhere, V=1 shows commands, SAN=1 builds with sanitizers in
# build-san/, DEFCONFIG=X uses configs/X_defconfig in build-X/.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifneq ($(DEFCONFIG),)
O ?= build-$(DEFCONFIG)
endif
ifeq ($(SAN),1)
O ?= build-san
endif
O ?= build
DEFCONFIG ?=

CROSS_COMPILE ?=
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)ar
endif
HOSTCC ?= cc
PKG_CONFIG ?= pkg-config
PYTHON ?= python3
CFLAGS ?= -Os -g
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-7s %s\n' $(1) $(patsubst $(O)/%,%,$@))

include configs/cross.mk

WARN := -Wall -Wextra -Wshadow -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wno-format-nonliteral -Wpointer-arith -Wwrite-strings $(if $(WERROR),-Werror)
ifeq ($(SAN),1)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
# Sections let the linker leave out what nothing calls.
SECTIONS := -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-strict-aliasing
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
	-Ilib -Iapplets -I$(O) -include $(O)/config.h -include lib/base/banned.h $(WARN) $(DEPS_CFLAGS) \
	$(SECTIONS) $(SANFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(SANFLAGS) -Wl,--gc-sections -Wl,-z,relro -Wl,--as-needed $(LDFLAGS)

lib-all := $(wildcard lib/*/*.c)
applet-src := $(filter-out applets/main.c applets/call.c,$(wildcard applets/*.c))

# ---- configuration ----

CONF := $(O)/host/conf
GEN := $(O)/applets.h $(O)/Kconfig.applets $(O)/applets.mk

$(O)/applets.stamp: $(applet-src) applets/gen.awk
	$(call say,GEN)
	$(Q)mkdir -p $(O)
	$(Q)awk -v out=$(O) -f applets/gen.awk $(sort $(applet-src))
	$(Q)for f in $(GEN); do cmp -s $$f.new $$f && rm $$f.new || mv $$f.new $$f; done
	$(Q)touch $@
# The empty recipe makes make look again whether the file has changed.
$(GEN): $(O)/applets.stamp ;

$(CONF): $(wildcard configs/*.c configs/kconfig*.h)
	$(call say,HOSTCC)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -D_GNU_SOURCE -O1 -o $@ $(filter %.c,$^)

# The tree's Kconfig names build/Kconfig.applets; in another folder it is told so.
$(O)/Kconfig: Kconfig
	$(Q)mkdir -p $(O)
	$(Q)sed 's|"build/|"$(O)/|' Kconfig > $@

conf = KCONFIG_CONFIG=$(O)/.config $(CONF) $(1) --header=$(O)/config.h --mk=$(O)/config.mk $(O)/Kconfig
conf-deps := $(CONF) $(O)/Kconfig $(O)/Kconfig.applets

$(O)/.config: | $(conf-deps)
	$(Q)$(call conf,--defconfig=configs/$(if $(DEFCONFIG),$(DEFCONFIG)_)defconfig)

$(O)/config.stamp: $(O)/.config $(conf-deps)
	$(Q)$(call conf,--olddefconfig)
	$(Q)touch $@
$(O)/config.h $(O)/config.mk: $(O)/config.stamp ;

config-goals := defconfig oldconfig olddefconfig savedefconfig allnoconfig allyesconfig randconfig menuconfig %_defconfig
ifeq ($(filter clean help distclean install-deps $(no-deps-goals) $(config-goals),$(MAKECMDGOALS)),)
-include $(O)/config.mk
-include $(O)/applets.mk
endif
include configs/deps.mk

%_defconfig: $(conf-deps)
	$(Q)$(call conf,--defconfig=configs/$@)
defconfig: $(conf-deps)
	$(Q)$(call conf,--defconfig=configs/defconfig)
allnoconfig allyesconfig randconfig olddefconfig: $(conf-deps)
	$(Q)$(call conf,--$@)
# Asks about what is new; without kconfig-conf its default is taken.
oldconfig: $(conf-deps)
	$(Q)if command -v kconfig-conf >/dev/null; then KCONFIG_CONFIG=$(O)/.config kconfig-conf --oldaskconfig $(O)/Kconfig; \
		else $(call conf,--olddefconfig); fi
savedefconfig: $(conf-deps)
	$(Q)$(call conf,--savedefconfig=defconfig)
menuconfig: $(conf-deps)
	$(Q)command -v kconfig-mconf >/dev/null || { echo "menuconfig needs kconfig-mconf (Debian: kconfig-frontends)"; exit 1; }
	$(Q)KCONFIG_CONFIG=$(O)/.config kconfig-mconf $(O)/Kconfig

# ---- the program ----

objs-$(CONFIG_CLIENT) += applets/call.o
not-y := $(if $(CONFIG_PID1),lib/pid1/none.c,lib/pid1/boot.c lib/pid1/power.c)
not-y += $(if $(CONFIG_PID1_MOUNTS),,lib/pid1/mounts.c) $(if $(CONFIG_PID1_CONSOLE),,lib/pid1/console.c) \
	$(if $(CONFIG_PID1_NAMES),,lib/pid1/names.c) $(if $(CONFIG_PID1_UNMOUNT),,lib/pid1/unmount.c)
not-y += lib/control/discover$(if $(CONFIG_DISCOVER),_none).c lib/control/file$(if $(CONFIG_FILES),_none).c
not-y += lib/control/stats$(if $(CONFIG_STATS),_none).c lib/control/events$(if $(CONFIG_EVENTS),_none).c
not-y += lib/control/http$(if $(CONFIG_APPLET_PROXY),_none).c
not-y += $(if $(CONFIG_TLS),lib/http/tls_none.c,lib/http/tls_mbed.c lib/http/tls_self.c)
not-y += lib/http/resolve$(if $(filter 1,$(STATIC)),,_small).c
not-y += lib/http/remote$(if $(CONFIG_REMOTE),_none).c
not-y += $(if $(CONFIG_HTTP),,$(filter-out lib/http/remote_none.c,$(filter lib/http/%,$(lib-all))))
not-y += $(if $(filter 1,$(STATIC)),,lib/base/small_stdio.c)
lib-src := $(filter-out $(not-y),$(lib-all))
lib-obj := $(lib-src:%.c=$(O)/%.o)
main-objs := $(addprefix $(O)/,applets/main.o $(objs-y))

all: $(O)/zinit

$(O)/zinit: $(main-objs) $(O)/libzinit.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(main-objs) $(O)/libzinit.a $(DEPS_LIBS)

$(O)/libzinit.a: $(lib-obj)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crs $@ $(lib-obj)

$(O)/%.o: %.c $(O)/config.h $(O)/applets.h $(O)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What every call of the socket and of the proxy runs through: the smallest code is slow
# there. A static file is for where size counts.
ifneq ($(STATIC),1)
$(addprefix $(O)/lib/,base/buf.o control/service.o rpc/call.o rpc/frame.o rpc/json.o rpc/jsonrpc.o): CFLAGS += -O2
$(addprefix $(O)/lib/http/,parse.o conn.o reply.o gateway.o pool.o link.o): CFLAGS += -O2
endif

$(O)/host/pack: configs/pack/pack.c
	$(call say,HOSTCC)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O1 -o $@ $<

$(O)/openrpc.h: openrpc.json $(O)/host/pack
	$(call say,GEN)
	$(Q)$(O)/host/pack <openrpc.json >$@
$(O)/lib/control/discover.o: $(O)/openrpc.h

# Other flags or another compiler mean other objects.
$(O)/flags: FORCE
	$(Q)mkdir -p $(O)
	$(Q)echo '$(CC) $(subst ','\'',$(ALL_CFLAGS)) $(ALL_LDFLAGS)' > $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
FORCE:

-include $(shell find $(O) -path $(O)/src -prune -o -name '*.d' -type f -print 2>/dev/null)

include tests/tests.mk
include configs/packaging.mk

# ---- the rest ----

PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
# What the program prints itself; nothing where it does not run here, or lacks that.
put = -@to='$(DESTDIR)$(PREFIX)/share/$(2)'; if $(O)/zinit $(1) >$(O)/printed 2>/dev/null; then \
	echo "install $$to"; install -d "$${to%/*}" && install -m 644 $(O)/printed "$$to"; fi

# Links that hide no other program: `kill` or `init` would.
LINKS ?= $(sort zinitctl $(patsubst applets/%.o,zinit-%,$(filter-out applets/call.o,$(objs-y))))

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(SYSCONFDIR)/zinit
	install -m 755 $(O)/zinit $(DESTDIR)$(PREFIX)/sbin/zinit
	$(Q)for l in $(LINKS); do ln -sfn zinit $(DESTDIR)$(PREFIX)/sbin/$$l; done
	$(call put,help --man,man/man8/zinit.8)
	$(call put,completion bash,bash-completion/completions/zinit)
	$(call put,completion zsh,zsh/site-functions/_zinit)
	$(call put,completion fish,fish/vendor_completions.d/zinit.fish)

demo:
	$(Q)sh configs/install-deps.sh build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)sh configs/demo.sh $(O)/zinit

install-deps:
	sh configs/install-deps.sh build test

clean:
	rm -rf build build-*

help:
	@echo 'all (default)   build $(O)/zinit'
	@echo 'demo            build it, run example services, show them'
	@echo 'static          one static file for this kind of machine: $(O)-static/zinit'
	@echo 'cross ARCH=X    the same for $(ARCHS): $(O)-X/zinit'
	@echo 'size            what the static program weighs; CHECK=1 fails above configs/size-budget'
	@echo 'fetch-src       the sources of the libraries, for builds with DEPS=src'
	@echo 'check           all tests; SAN=1: with sanitizers; DEFCONFIG=X: of that configuration'
	@echo 'check-cross     ARCH=X: the tests on a program for another kind of machine, in qemu-user'
	@echo 'check-packaging the Debian package and the other recipes'
	@echo 'check-configs   N=50 random configurations, built and tested'
	@echo 'lint            rules of the tree: includes, banned functions, clang-tidy, -fanalyzer'
	@echo 'fuzz T=60       every fuzzer for T seconds'
	@echo 'boot            process 1 of a machine, in qemu'
	@echo 'test-servers    h1echo and wsecho in $(O)/tests: the HTTP code alone, for conformance suites'
	@echo 'bench           speed and memory beside floors and peers'
	@echo 'initramfs       zinit as /init, with example services; ARCH=X of another kind of machine'
	@echo 'dist deb        an archive of the sources; a Debian package'
	@echo 'install         to DESTDIR PREFIX'
	@echo 'defconfig X_defconfig oldconfig olddefconfig savedefconfig allnoconfig allyesconfig randconfig menuconfig'
	@echo 'clean           remove build folders'

.PHONY: all clean help install install-deps demo FORCE defconfig oldconfig olddefconfig savedefconfig allnoconfig allyesconfig \
	randconfig menuconfig
