# SPDX-License-Identifier: GPL-2.0-only
# make install: module, loader, man pages, units; make install-broker: without module.
# Included by mk/build.mk.

PREFIX ?= /usr
INSTALL := install
# The kernel that the module was built for, whichever runs here.
KRELEASE ?= $(patsubst vermagic=%,%,$(shell grep -aom1 'vermagic=[^ ]*' build/kmod/vmc.ko 2>/dev/null))
MODDIR := $(DESTDIR)/lib/modules/$(KRELEASE)/updates
DKMS_DIR := $(DESTDIR)/usr/src/vmc-$(VERSION)

install: have-module install-loader
	$(call say,INSTALL,$(MODDIR)/vmc.ko)
	$(Q)$(INSTALL) -Dm644 build/kmod/vmc.ko '$(MODDIR)/vmc.ko'
	$(Q)[ -n '$(DESTDIR)' ] || depmod '$(KRELEASE)'
	@[ -n '$(DESTDIR)' ] || [ '$(KRELEASE)' = "$$(uname -r)" ] || \
		echo "make: the module is for $(KRELEASE), this machine runs $$(uname -r): set KDIR=" >&2

install-dkms: install-loader
	$(call say,INSTALL,$(DKMS_DIR))
	$(Q)$(INSTALL) -d '$(DKMS_DIR)/kmod' '$(DKMS_DIR)/include/vmc'
	$(Q)$(INSTALL) -m644 kmod/* '$(DKMS_DIR)/kmod/'
	$(Q)$(INSTALL) -m644 include/vmc/*.h '$(DKMS_DIR)/include/vmc/'
	$(Q)sed 's/@VERSION@/$(VERSION)/' mk/dkms.conf.in >'$(DKMS_DIR)/dkms.conf'

install-broker: install-loader

.PHONY: have-module install-loader
have-module:
	@[ -e build/kmod/vmc.ko ] || { echo 'make: no module built yet: run make first' >&2; exit 1; }

install-loader: $(if $(filter install,$(MAKECMDGOALS)),have-module)
	@[ -e build/loader/vmc-loader ] || { echo 'make: no loader built yet: run make first' >&2; exit 1; }
	$(call say,INSTALL,$(DESTDIR)$(PREFIX)/sbin/vmc-loader)
	$(Q)$(INSTALL) -Dm755 build/loader/vmc-loader '$(DESTDIR)$(PREFIX)/sbin/vmc-loader'
	$(Q)for page in build/man/*.[1-8]; do [ ! -e "$$page" ] || $(INSTALL) -Dm644 "$$page" \
		"$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}" || exit 1; done
	$(Q)for unit in loader/systemd/*.*; do [ ! -e "$$unit" ] || $(INSTALL) -Dm644 "$$unit" \
		"$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}" || exit 1; done
