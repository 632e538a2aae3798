# One static file that runs on any Linux: `make static` for this machine's kind,
# `make cross ARCH=X` for another one. Included by the Makefile.
#
# The compiler is zig's clang with its own musl, which knows every target without a
# sysroot; with CROSS_COMPILE=PREFIX- it is PREFIX-gcc (musl- for Debian's musl-gcc).
# The libraries are compiled from their sources. The result is $(O)-static/zinit or
# $(O)-ARCH/zinit: static, stripped, the same bytes wherever it is built.

host-arch := $(shell uname -m)
zig-target-x86_64 := x86_64-linux-musl
zig-target-aarch64 := aarch64-linux-musl
zig-target-armhf := arm-linux-musleabihf
zig-target-armv7l := arm-linux-musleabihf
zig-target-riscv64 := riscv64-linux-musl
ARCHS := aarch64 armhf riscv64 x86_64

ifeq ($(STATIC),1)
ifeq ($(CROSS_COMPILE),)
CC := $(ZIG) cc -target $(ZIG_TARGET)
AR := $(ZIG) ar
# The outliner makes functions of what is there twice, which is worth 4 %. What is turned
# off here makes code faster by writing some of it twice, or holds more values in registers,
# which are then saved; another 3 %.
CFLAGS := -Oz -fomit-frame-pointer -fno-jump-tables $(foreach f,enable-machine-outliner inline-threshold=0 \
	rotation-max-header-size=0 disable-block-placement enable-pre=false disable-machine-licm disable-machine-cse \
	simplifycfg-branch-fold-threshold=0,-mllvm -$(f))
# The linker too is told, as that is when zig compiles its libc.
LDFLAGS := -static -s -Oz -fno-unwind-tables
else
AR := $(shell command -v $(CROSS_COMPILE)ar || echo ar)
CFLAGS := -Os
LDFLAGS := -static -s -Wl,-z,noseparate-code -Wl,--build-id=none
endif
# No path of this machine in the file, and nothing for debuggers and unwinders.
CFLAGS += -fno-unwind-tables -fno-stack-protector -ffile-prefix-map=$(CURDIR)/= -ffile-prefix-map=$(abspath $(LIBSRC))/=
endif

# zig as a program, else as Python's package, else the one that install-deps.sh has put here.
find-zig = command -v zig || \
	$(PYTHON) -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__) + "/zig")' 2>/dev/null || \
	echo $(CURDIR)/build/tools/ziglang/zig
static-deps = $(if $(CROSS_COMPILE),,sh configs/install-deps.sh cross &&) \
	$(MAKE) --no-print-directory fetch-src

# $(1): folder, $(2): kind of machine. The configuration is that of $(O), if there is one.
define static-build
$(Q)$(if $(CROSS_COMPILE)$(zig-target-$(2)),,echo "ARCH=$(2), expected one of: $(ARCHS)"; exit 1)
$(Q)$(static-deps)
$(Q)mkdir -p $(1)
$(Q)! test -e $(O)/.config || cmp -s $(O)/.config $(1)/.config || cp $(O)/.config $(1)/.config
+$(Q)$(MAKE) --no-print-directory O=$(1) STATIC=1 DEPS=src ZIG_TARGET=$(zig-target-$(2)) \
	ZIG="$(if $(CROSS_COMPILE),,$$($(find-zig)))" all $(if $(MAP),$(1)/zinit.map)
endef

# What is built elsewhere, by another make, and needs no libraries here.
no-deps-goals := check-cross initramfs static cross size fetch-src

# The linker's map, of a file with symbols; lld's form, so not with CROSS_COMPILE.
$(O)/zinit.map: $(O)/zinit
	$(Q)$(CC) $(filter-out -s,$(ALL_LDFLAGS)) -Wl,--print-map -o $(O)/zinit.sym $(main-objs) $(O)/libzinit.a $(DEPS_LIBS) >$@

# Sizes by configuration and object; CHECK=1 fails above configs/size-budget.
SIZE_CONFIGS := tiny default tls
size:
	$(Q)set -e; for c in $(SIZE_CONFIGS); do rm -f build/size/$$c-static/.config; \
		$(MAKE) -s --no-print-directory static MAP=1 O=build/size/$$c DEFCONFIG=$$(test $$c = default || echo $$c) >/dev/null; \
	done
	$(Q)$(PYTHON) tests/size.py $(if $(CHECK),--check) configs/size-budget $(foreach c,$(SIZE_CONFIGS),$c=build/size/$c-static)

static:
	$(call static-build,$(O)-static,$(host-arch))
cross:
	$(call static-build,$(O)-$(ARCH),$(ARCH))
# An image to boot: `make initramfs`, with ARCH=X of another kind of machine. BUSYBOX=FILE
# gives it a shell, SERVICES=DIR other services.
BUSYBOX ?= /bin/busybox
SERVICES ?= configs/initramfs
initramfs: $(if $(ARCH),cross,static)
	$(Q)$(PYTHON) configs/initramfs.py $(O)-$(or $(ARCH),static)/zinit $(O)-$(or $(ARCH),static)/initramfs.cpio.gz \
		--busybox $(BUSYBOX) --services $(SERVICES) --link \
		$$(sed -n 's/^CONFIG_APPLET_\(.*\)=y/zinit-\1/p' $(O)-$(or $(ARCH),static)/.config | tr A-Z a-z) zinitctl
.PHONY: initramfs static cross size
