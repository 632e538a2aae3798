# `make dist`: the sources; `make packaging`: the package recipes with version and sums
# filled in; `make deb`: a Debian package. Included by the Makefile.
VERSION := $(shell sed -n 's/^\#define ZINIT_VERSION "\(.*\)"/\1/p' applets/applet.h)
dist-name := zinit-$(VERSION)
sources = $$(git ls-files -co --exclude-standard 2>/dev/null || find . -path './build*' -prune -o -path ./.git -prune -o -type f -print | sed 's|^\./||' | LC_ALL=C sort)
released = $$(git log -1 --format=%ct 2>/dev/null || stat -c %Y applets/applet.h)

# The same sources give the same bytes.
dist:
	$(Q)mkdir -p $(O)
	$(Q)tar --sort=name --mtime=@$(released) --owner=0 --group=0 --numeric-owner --transform 's|^|$(dist-name)/|' \
		-cf - $(sources) | gzip -9n >$(O)/$(dist-name).tar.gz
	@echo $(O)/$(dist-name).tar.gz

packaging: dist
	$(Q)rm -rf $(O)/packaging && cp -r configs/packaging $(O)/packaging
	$(Q)cp $(O)/$(dist-name).tar.gz $(O)/packaging/alpine/
	$(Q)mkdir -p $(O)/packaging/yocto/files && cp $(O)/$(dist-name).tar.gz $(O)/packaging/yocto/files/
	$(Q)mv $(O)/packaging/yocto/zinit_@VERSION@.bb $(O)/packaging/yocto/zinit_$(VERSION).bb
	$(Q)sed -i "s/@VERSION@/$(VERSION)/; s/@LICENSE_MD5@/$$(md5sum <LICENSE | cut -c1-32)/" $(O)/packaging/alpine/APKBUILD \
		$(O)/packaging/yocto/*.bb $(O)/packaging/buildroot/zinit/zinit.mk
	@echo $(O)/packaging

deb: packaging
	$(Q)sh configs/install-deps.sh build deb
	$(Q)rm -rf $(O)/deb && mkdir -p $(O)/deb && tar -xf $(O)/$(dist-name).tar.gz -C $(O)/deb
	$(Q)cp -r $(O)/packaging/debian $(O)/deb/$(dist-name)/debian
	$(Q)printf 'zinit (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' $(VERSION) $(VERSION) \
		"$$(sed -n 's/^Maintainer: //p' configs/packaging/debian/control)" "$$(date -uR -d @$(released))" \
		>$(O)/deb/$(dist-name)/debian/changelog
	$(Q)cd $(O)/deb/$(dist-name) && env -u MAKEFLAGS -u MAKELEVEL -u O -u CC -u DEFCONFIG dpkg-buildpackage -b -us -uc >../log 2>&1 || \
		{ tail -30 ../log; exit 1; }
	$(Q)! command -v lintian >/dev/null || lintian --fail-on error $(O)/deb/*.changes
	@ls $(O)/deb/*.deb
check-packaging: all deb
	$(Q)sh tests/packaging.sh $(O) $(VERSION)
.PHONY: check-packaging dist packaging deb
