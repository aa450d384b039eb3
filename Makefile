# Everything that is done with this project; each target installs what it needs.
SHELL := /bin/bash
PACKAGES := gcc g++ make cmake perl pkg-config libcrypt-dev libpam0g-dev git curl openssl openssh-client passwd libnss-extrausers strace sudo tcsh rsync python3 acl attr mercurial
.PHONY: run test slowest coverage deb appliance-test vm-test bench bench-ssh faults fuzz lint deny tools
# For the tests alone: Samba, whose sessions have to end, the sftp-server that ours is held against, and clients of all kinds.
test slowest coverage: PACKAGES += samba smbclient openssh-server openssh-sftp-server python3-venv lftp putty-tools rclone sshfs fuse3 fio \
	pamtester python3-paramiko python3-asyncssh python3-requests ssh-audit borgbackup restic tzdata btrfs-progs oathtool
# What describes the programs: units and manual pages (tests/units.rs, tests/manuals.rs).
test slowest coverage: PACKAGES += systemd mandoc
# The machine whose kernel has quotas (tests/kernel_quotas.rs).
test slowest coverage: PACKAGES += qemu-system-x86 busybox-static cpio e2fsprogs xfsprogs quota
# Most of the time a test waits for programs and disk.
test slowest: export RUST_TEST_THREADS := $(shell echo $$((2 * $$(nproc))))
# Seconds for each fuzz target.
FUZZ_SECONDS := 60

run: tools
	cargo build --locked --release --workspace
	exec target/release/accountd sandbox --root .sandbox

test: tools target/clients/node_modules/ssh2 target/clients/venv/installed
	# In one go, so that what the tests' own dependencies ask of a crate does not build it a second time.
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace --lib --bins --tests

# The same, with the time of each test; ends with the twenty slowest. The times are a thing of the test runner's that is not
# stable yet, so it is told that it may.
slowest: export CARGO_TARGET_$(shell rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)_RUNNER := env RUSTC_BOOTSTRAP=1
slowest: tools
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace --lib --bins --tests -- -Z unstable-options --report-time | tee target/times.txt
	@sed -n 's/^test \(.*\) \.\.\. .*<\([0-9.]*\)s>$$/\2 s  \1/p' target/times.txt | sort -rn | head -20

coverage: tools
	.ci/coverage

# A Debian package, in target/debian. With PROFILE=dev of what `cargo build` has made, which is quicker to build.
PROFILE := release
deb: PACKAGES += dpkg-dev lintian
deb: tools
	package/build $(PROFILE)

# The package on a Debian that is made for it and booted: tests/appliance/package, and tests/appliance/hardship.
appliance-test: PACKAGES += dpkg-dev lintian mmdebstrap systemd-container openssh-client curl
appliance-test: tools
	package/build $(PROFILE)
	tests/appliance/container target/debian/*.deb
	tests/appliance/container target/debian/*.deb hardship

# What the package's programs do where the power goes, the machine is killed, the kernel has quotas and the clock jumps.
# POINTS of the log of a disk are looked at, in three states each.
POINTS := 100
KILLS := 3
vm-test: PACKAGES += dpkg-dev lintian qemu-system-x86 qemu-system-common fuse3 busybox-static cpio e2fsprogs xfsprogs quota oathtool openssh-sftp-server
vm-test: tools
	package/build $(PROFILE)
	tests/appliance/power-cut --programs target/debian/*.deb $(POINTS)
	tests/appliance/kill target/debian/*.deb $(KILLS)
	tests/appliance/machine target/debian/*.deb checks | tests/appliance/whole
	tests/appliance/machine target/debian/*.deb clock | tests/appliance/whole

# A client of the tests that Debian does not have; without npm, or a registry, its row of the table is skipped and says so.
target/clients/node_modules/ssh2: tests/clients/node/package.json | tools
	@mkdir -p target/clients && cp $< target/clients/
	@cd target/clients && { command -v npm >/dev/null && timeout 120 npm install --silent --no-package-lock --ignore-scripts --no-audit --no-fund; } \
		|| echo "skipped: the ssh2 package of npm can not be had"

# Clients of AList that Debian does not have; without a package index their tests are skipped and say so.
target/clients/venv/installed: tests/clients/python/requirements.txt | tools
	@mkdir -p target/clients && { python3 -m venv target/clients/venv \
		&& timeout 120 target/clients/venv/bin/python -m pip install --quiet --disable-pip-version-check -r $< \
		&& touch $@; } || { rm -rf target/clients/venv; echo "skipped: alist3 and alist-sdk of Python's package index can not be had"; }

# OpenSSH's sshd is the peer; it runs inside a sandbox, on a port of its own.
bench: PACKAGES += openssh-server
bench: tools
	cargo build --locked --release --workspace --bins --bench accountd
	cargo bench --locked --workspace --bench accountd

# SSH alone, beside the same peer.
bench-ssh: PACKAGES += openssh-server
bench-ssh: tools
	cargo build --locked --release --workspace --bins --bench accountd
	cargo bench --locked --workspace --bench accountd -- ssh

# The laws of the parsers on bytes that a fuzzer has chosen; what breaks one is in tests/fuzz/artifacts.
fuzz: tools
	.ci/fuzz $(FUZZ_SECONDS)

# Every fault at every file-system call of every kind of transaction, or of some: KINDS=keys,renamed
faults: tools
	cargo build --locked --workspace
	KINDS=$(KINDS) cargo test --locked --test accountd a_fault_at_any_call -- --ignored --nocapture

lint:
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny:
	.ci/deny

# Debian packages that are missing; needs root only when there are any.
tools:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "installing:" $$missing; \
		apt-get update -q >/dev/null && \
		DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $$missing >/dev/null; \
	fi
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or newer (rustup.rs)"; exit 1; }
