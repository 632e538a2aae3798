SUMMARY = "Small process supervisor and init"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=@LICENSE_MD5@"
# The archive of `make dist`, in a folder files/ beside this recipe.
SRC_URI = "file://zinit-${PV}.tar.gz"
S = "${WORKDIR}/zinit-${PV}"

DEPENDS = "libyaml gawk-native"
inherit pkgconfig

# tiny, container, tls or empty: a file configs/X_defconfig
ZINIT_DEFCONFIG ?= ""
EXTRA_OEMAKE = "O=out DEPS=shared DEFCONFIG=${ZINIT_DEFCONFIG} 'CC=${CC}' 'AR=${AR}' 'HOSTCC=${BUILD_CC}' \
	'CFLAGS=${CFLAGS}' 'LDFLAGS=${LDFLAGS}'"

do_compile() {
	oe_runmake all
}

do_install() {
	oe_runmake install DESTDIR=${D} PREFIX=${prefix} SYSCONFDIR=${sysconfdir}
}

FILES:${PN} += "${datadir}/bash-completion ${datadir}/zsh ${datadir}/fish"
