# SPDX-License-Identifier: GPL-2.0-only
# Compiles the kernel's selftests that tests/kernel/selftests.py knows, in the toolchain;
# run by tests/kernel/build.
#
#   SRC   Debian's kernel source, unpacked, after "make headers"
#   OUT   where the programs go, with the scripts around them
#   WORK  where the rest goes
#
# The selftests' own makefiles want the whole world (all of test_progs with LLVM, a kernel
# module, a bpftool of their own): the rules below take the same sources and flags.

SELF := $(SRC)/tools/testing/selftests
HERE := $(dir $(lastword $(MAKEFILE_LIST)))
BTF ?= $(lastword $(sort $(wildcard /usr/src/linux-headers-6.12*-amd64)))/vmlinux
CC := gcc
CLANG := $(shell command -v clang-19 || echo clang)
say = @printf '  %-8s %s\n' $(1) $(2)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

## net: one C file, one program
NET := bind_bhash bind_timewait bind_wildcard epoll_busy_poll fin_ack_lat io_uring_zerocopy_tx \
	ip_local_port_range msg_zerocopy reuseaddr_conflict reuseaddr_ports_exhausted \
	reuseport_addr_any reuseport_bpf reuseport_bpf_cpu reuseport_dualstack rxtimestamp \
	sk_bind_sendto_listen sk_connect_zero_addr sk_so_peek_off so_incoming_cpu so_netns_cookie \
	socket stress_reuseport_listen tcp_fastopen_backup_key tcp_inq tcp_mmap tls txtimestamp
NET_FILES := bind_bhash.sh fin_ack_lat.sh in_netns.sh io_uring_zerocopy_tx.sh \
	ip_local_port_range.sh lib.sh msg_zerocopy.sh net_helper.sh reuseaddr_ports_exhausted.sh \
	reuseport_addr_any.sh rxtimestamp.sh stress_reuseport_listen.sh tcp_fastopen_backup_key.sh \
	txtimestamp.sh
MPTCP := mptcp_connect mptcp_inq mptcp_sockopt
MPTCP_FILES := mptcp_connect.sh mptcp_lib.sh mptcp_sockopt.sh

NET_CFLAGS := -O2 -g -w -I$(SRC)/usr/include -I$(SELF) -I$(SRC)/tools/include

all: $(NET:%=$(OUT)/net/%) $(NET_FILES:%=$(OUT)/net/%)
all: $(MPTCP:%=$(OUT)/net/mptcp/%) $(MPTCP_FILES:%=$(OUT)/net/mptcp/%)
all: $(OUT)/filesystems/epoll/epoll_wakeup_test $(OUT)/two_addresses.bpf.o

$(OUT)/net/io_uring_zerocopy_tx: NET_CFLAGS += -I$(SRC)/include

# Debian's 6.12.117 has the tests of rekeying, but not what they call (nor has that kernel
# rekeying): without the key's generation they compile, and see keys refused.
ifeq ($(shell grep -c key_generation $(SELF)/net/tls.c),0)
$(OUT)/net/tls: NET_CFLAGS += '-Dtls_crypto_info_init(v, c, k, ...)=tls_crypto_info_init(v, c, k)'
endif

$(OUT)/net/%: $(SELF)/net/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	@$(CC) $(NET_CFLAGS) -o $@ $< -Wl,--as-needed -lcap -lcrypto -lpthread && strip -g $@

# 32 GiB would take an emulator an hour.
$(WORK)/net/tcp_mmap.c: $(SELF)/net/tcp_mmap.c
	@mkdir -p $(@D)
	@sed 's/^#define FILE_SZ (1ULL << 35)$$/#define FILE_SZ (1ULL << 28)/' $< >$@
	@! cmp -s $< $@

$(OUT)/net/tcp_mmap: $(WORK)/net/tcp_mmap.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	@$(CC) $(NET_CFLAGS) -I$(SELF)/net -o $@ $< -lcrypto -lpthread && strip -g $@

$(OUT)/filesystems/epoll/%: $(SELF)/filesystems/epoll/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	@$(CC) $(NET_CFLAGS) -o $@ $< -lpthread && strip -g $@

$(OUT)/%.sh: $(SELF)/%.sh
	@mkdir -p $(@D)
	@install -m755 $< $@

## bpf
BPF_DIR := $(SELF)/bpf
INCLUDE := $(WORK)/include
LIBBPF := $(WORK)/libbpf/libbpf.a
# Of test_progs, those whose sockets are TCP's.
PROG_TESTS := assign_reuse bpf_iter_setsockopt bpf_tcp_ca btf_skc_cls_ingress \
	cgroup_skb_sk_lookup cgroup_tcp_skb cgroup_v1v2 connect_force_port load_bytes_relative \
	migrate_reuseport mptcp select_reuseport setget_sockopt sk_assign sk_lookup \
	sk_storage_omem_uncharge sk_storage_tracing sock_destroy sock_fields sock_iter_batch \
	socket_cookie sockmap_basic sockmap_ktls sockmap_listen sockopt_inherit sockopt_multi \
	sockopt_qos_to_cc sockopt_sk tcp_custom_syncookie tcp_estats tcp_hdr_options tcp_rtt \
	tcpbpf_user
HELPERS := test_progs cgroup_helpers trace_helpers network_helpers testing_helpers btf_helpers \
	cap_helpers unpriv_helpers netlink_helpers jit_disasm_helpers test_loader disasm \
	disasm_helpers json_writer
PROG_SRCS := $(PROG_TESTS:%=$(BPF_DIR)/prog_tests/%.c)
skel_names = $(shell sed -nE 's/^\#include "(.*)\.skel\.h"/\1/p' $(1))
object_names = $(shell grep -ohE '[a-z0-9_]+\.bpf\.o' $(1) | sed 's/\.bpf\.o//')
SKELS := $(sort $(call skel_names,$(PROG_SRCS)))
OBJECTS := $(sort $(call object_names,$(PROG_SRCS)) test_sockmap_kern)

BPF_CPPFLAGS := -I$(BPF_DIR) -I$(INCLUDE) -I$(SRC)/tools/include/uapi
USER_CFLAGS := -g -O0 -rdynamic -w -fno-omit-frame-pointer -I$(BPF_DIR) -I$(INCLUDE) \
	-I$(SRC)/tools/lib -I$(SRC)/tools/include -I$(SRC)/tools/include/uapi -I$(WORK) -I$(WORK)/bpf
# Clang's own headers and the libc's, as for a program of this machine.
CLANG_INCLUDES := $(shell $(CLANG) -v -E - </dev/null 2>&1 | \
	sed -n '/<...> search starts here:/,/End of search list./{ s| \(/.*\)|-idirafter \1|p }')
BPF_CFLAGS := -g -O2 --target=bpf -mcpu=v3 -mlittle-endian -D__TARGET_ARCH_x86 -w \
	-DENABLE_ATOMICS_TESTS $(BPF_CPPFLAGS) -I$(SRC)/usr/include $(CLANG_INCLUDES)

all: $(OUT)/bpf/test_sockmap $(OUT)/bpf/test_progs $(OBJECTS:%=$(OUT)/bpf/%.bpf.o)

$(LIBBPF):
	$(call say,MAKE,$@)
	@mkdir -p $(@D) $(INCLUDE)
	@$(MAKE) -s -C $(SRC)/tools/lib/bpf OUTPUT=$(@D)/ prefix= DESTDIR=$(WORK) \
		EXTRA_CFLAGS='-g -O2' all install_headers >$(WORK)/libbpf.log

$(INCLUDE)/vmlinux.h: $(BTF) | $(LIBBPF)
	$(call say,BTF,$@)
	@bpftool btf dump file $< format c >$@

$(WORK)/bpf/%.bpf.o: $(BPF_DIR)/progs/%.c $(INCLUDE)/vmlinux.h
	$(call say,CLANG,$@)
	@mkdir -p $(@D)
	@$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# Linked three times in the kernel's makefile, to test the linker.
$(WORK)/bpf/%.skel.h: $(WORK)/bpf/%.bpf.o
	@bpftool gen object $(<:.bpf.o=.linked.o) $<
	@bpftool gen skeleton $(<:.bpf.o=.linked.o) name $* >$@
	@bpftool gen subskeleton $(<:.bpf.o=.linked.o) name $* >$(@:.skel.h=.subskel.h)

# Ours.
$(OUT)/%.bpf.o: $(HERE)%.bpf.c | $(LIBBPF)
	$(call say,CLANG,$@)
	@mkdir -p $(@D)
	@$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(OUT)/bpf/%.bpf.o: $(WORK)/bpf/%.bpf.o
	@mkdir -p $(@D)
	@cp $< $@

$(WORK)/prog_tests/tests.h: $(HERE)selftests.mk
	@mkdir -p $(@D)
	@sed -nE 's/^void (serial_)?test_([a-zA-Z0-9_]+)\((void)?\).*/DEFINE_TEST(\2)/p' \
		$(PROG_SRCS) | sort >$@

$(WORK)/bpf/%.test.o: $(BPF_DIR)/prog_tests/%.c $(SKELS:%=$(WORK)/bpf/%.skel.h) | $(LIBBPF)
	$(call say,CC,$@)
	@$(CC) $(USER_CFLAGS) -c $< -o $@

$(WORK)/bpf/%.o: $(BPF_DIR)/%.c $(WORK)/prog_tests/tests.h | $(LIBBPF)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	@$(CC) $(USER_CFLAGS) -c $< -o $@

$(OUT)/bpf/test_progs: $(PROG_TESTS:%=$(WORK)/bpf/%.test.o) $(HELPERS:%=$(WORK)/bpf/%.o) $(LIBBPF)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	@$(CC) $(USER_CFLAGS) $^ -lelf -lz -lrt -lpthread -o $@ && strip -g $@

$(OUT)/bpf/test_sockmap: $(BPF_DIR)/test_sockmap.c $(WORK)/bpf/testing_helpers.o \
		$(WORK)/bpf/cgroup_helpers.o $(LIBBPF)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	@$(CC) $(USER_CFLAGS) $^ -lelf -lz -lrt -lpthread -o $@ && strip -g $@
