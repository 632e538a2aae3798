################################################################################
#
# zinit
#
################################################################################

ZINIT_VERSION = @VERSION@
ZINIT_SITE = $(BR2_EXTERNAL_ZINIT_PATH)/dl
ZINIT_SITE_METHOD = file
ZINIT_LICENSE = Apache-2.0
ZINIT_LICENSE_FILES = LICENSE
ZINIT_DEPENDENCIES = host-gawk host-pkgconf libyaml

ZINIT_MAKE_OPTS = \
	O=out DEPS=shared DEFCONFIG=$(call qstrip,$(BR2_PACKAGE_ZINIT_DEFCONFIG)) \
	CC="$(TARGET_CC)" AR="$(TARGET_AR)" HOSTCC="$(HOSTCC)" PKG_CONFIG="$(PKG_CONFIG_HOST_BINARY)" \
	CFLAGS="$(TARGET_CFLAGS)" LDFLAGS="$(TARGET_LDFLAGS)"

define ZINIT_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(ZINIT_MAKE_OPTS) all
endef

define ZINIT_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(ZINIT_MAKE_OPTS) install DESTDIR=$(TARGET_DIR) PREFIX=/usr
	$(if $(BR2_PACKAGE_ZINIT_INIT),ln -sf ../usr/sbin/zinit $(TARGET_DIR)/sbin/init)
endef

$(eval $(generic-package))
