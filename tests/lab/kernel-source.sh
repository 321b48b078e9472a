# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian's kernel source, for what is built out of it: the debug kernel, the kernel's own
# tests. Source it with $top set. The package (150 MB) is fetched once, into
# build/kernel-source.

kernel_source_package=linux-source-6.12

# kernel_source_tools TOOL...: see to it that the toolchain has these commands, each of
# the package of its name
kernel_source_tools() {
	local missing=() tool
	for tool; do
		"$top/tests/lab/toolchain" run which "$tool" >/dev/null || missing+=("$tool")
	done
	kernel_source_install "${missing[@]}"
}

# kernel_source_install PACKAGE...: more packages for the toolchain
kernel_source_install() {
	[ $# -gt 0 ] || return 0
	echo "kernel-source: installing $* in build/toolchain" >&2
	"$top/tests/lab/toolchain" run apt-get update -qq >&2 &&
		"$top/tests/lab/toolchain" run env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends "$@" >&2
}

# kernel_source_fetch: prints the package's path, fetched if it was not yet
kernel_source_fetch() {
	local store=$top/build/kernel-source deb
	mkdir -p "$store"
	(
		flock 9
		compgen -G "$store/$kernel_source_package*.deb" >/dev/null && exit
		echo "kernel-source: fetching Debian's $kernel_source_package (150 MB)" >&2
		rm -rf "$store/new"
		mkdir "$store/new"
		"$top/tests/lab/toolchain" run apt-get update -qq >&2
		cd "$store/new"
		"$top/tests/lab/toolchain" run apt-get download -qq -o APT::Sandbox::User=root \
			"$kernel_source_package" >&2
		mv ./*.deb ..
		rm -rf "$store/new"
	) 9>"$store/lock"
	deb=$(compgen -G "$store/$kernel_source_package*.deb") || {
		echo "kernel-source: apt-get has fetched no $kernel_source_package" >&2
		return 1
	}
	printf '%s\n' "$deb"
}

# kernel_source_unpack DEB DIR [TAR_OPTION...]: the source as DIR, anew. DIR is under $top.
kernel_source_unpack() {
	local deb=$1 dir=$2
	shift 2
	"$top/tests/lab/toolchain" run which xz >/dev/null || kernel_source_install xz-utils || return
	rm -rf "$dir" "$dir.package"
	mkdir -p "$dir.package"
	"$top/tests/lab/toolchain" run dpkg-deb -x "$deb" "$dir.package" &&
		"$top/tests/lab/toolchain" run tar -C "$dir.package" \
			-xf "$dir.package/usr/src/$kernel_source_package.tar.xz" "$@" &&
		mv "$dir.package/$kernel_source_package" "$dir" &&
		rm -rf "$dir.package"
}
