# SPDX-License-Identifier: GPL-2.0-only
# vmc-loader. Included by mk/build.mk after bpf/bpf.mk, from the top folder.
# Goals: loader, loader-clean, man.
#
#   CC, CFLAGS, LDFLAGS, VERSION, V=1

LOADER_OUT := build/loader
LOADER_SRCS := $(wildcard loader/*.c)
LOADER_OBJS := $(LOADER_SRCS:loader/%.c=$(LOADER_OUT)/%.o)
LOADER_LIBS := libbpf xenstore json-c libsystemd
LOADER_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Iinclude -Iloader -I$(BPF_OUT) -MMD -MP \
	$(if $(VERSION),-DVMC_VERSION='"$(VERSION)"')
# Simply expanded only when a recipe runs: the toolchain may be elsewhere until then.
LOADER_LDLIBS = $(shell pkg-config --libs $(LOADER_LIBS))
MAN_SRCS := $(wildcard docs/man/*.rst)
MAN_PAGES := $(MAN_SRCS:docs/man/%.rst=build/man/%)

loader_q := $(if $(filter 1,$(V)),,@)
loader_say = $(if $(filter 1,$(V)),:,printf '  %-8s %s\n')

.PHONY: loader loader-clean man
loader: $(LOADER_OUT)/vmc-loader
man: $(MAN_PAGES)

$(LOADER_OUT) build/man:
	$(loader_q)mkdir -p $@

$(LOADER_OUT)/%.o: loader/%.c $(BPF_OUT)/vmc.skel.h | $(LOADER_OUT)
	@$(loader_say) CC $@
	$(loader_q)$(CC) -O2 -g $(LOADER_CFLAGS) $(CFLAGS) -c $< -o $@

$(LOADER_OUT)/vmc-loader: $(LOADER_OBJS)
	@$(loader_say) LD $@
	$(loader_q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LOADER_LDLIBS) -o $@

build/man/%: docs/man/%.rst | build/man
	@$(loader_say) RST2MAN $@
	$(loader_q)rst2man --strict $< $@

loader-clean:
	$(loader_q)rm -rf $(LOADER_OUT) build/man

-include $(LOADER_OBJS:.o=.d)
