#!/bin/sh
# Installs Sallyport on Linux, upgrades it (the same command again), or removes it.
#
#   curl -fsSL https://…/install.sh | sh
#   curl -fsSL https://…/install.sh | sh -s -- --domain gate.example.org --email ada@example.org
#   curl -fsSL https://…/install.sh | sh -s -- --version 1.4.2
#   sh install.sh --offline ./sallyport-linux-x64.gz      SHA256SUMS (and SHA256SUMS.sig) beside it
#   sh install.sh --help
#
# What it does, in this order: looks whether this machine fits; downloads the executable; verifies its checksum and
# the signature of the checksums; lets the new executable open a copy of the data; makes a user, directories, a
# configuration and a systemd unit; stops the old release, keeps a copy of the database, starts the new one; and when
# that does not become healthy, puts executable, unit and database back.
#
# Signature: ECDSA P-256 over SHA256SUMS, verified with `openssl dgst`, which a machine that can speak HTTPS has
# (ca-certificates brings it on Debian). The public key below is filled in by the release build.
#
# Exit codes: 0 done, or nothing to do · 1 unexpected · 2 usage · 3 this machine is not supported · 4 a tool is missing
# 5 download · 6 checksum or signature · 7 not root · 8 conflict · 9 the new release did not run, what was there does

set -eu
LC_ALL=C
export LC_ALL

# Filled in by a release (.ci/build.ts). RELEASE_URL has a folder for each version, and a file for each channel that
# holds one version.
RELEASE_URL=''
RELEASE_KEY=''

APP_DIR=/opt/sallyport
CURRENT=$APP_DIR/current
CONFIG_DIR=/etc/sallyport
DATA_DIR=/var/lib/sallyport
CACHE_DIR=/var/cache/sallyport
SOCKET_DIR=/run/sallyport
LINK=/usr/local/bin/sallyport
UNIT=/etc/systemd/system/sallyport.service
SERVICE_USER=sallyport
KEPT_RELEASES=3
HEALTHY_SECONDS=60
APP_MEGABYTES=400
SYSTEMD_MIN=247

# --- what the gateway listens on: all of it is here ----------------------------------------------------------------
# It holds its own certificate, on ports 443 and 80 of every address. With --public-url a proxy on this machine holds
# it, and on loopback there is none: both are served in clear, to this machine alone.

LISTEN_CLEAR=localhost:8080
LISTEN_TLS='[::]:443'
HTTP_PORT=80

is_clear() {
	[ -z "$PUBLIC_URL" ] || return 0
	case $LISTEN in
		localhost:* | 127.* | '[::1]:'*) return 0 ;;
		*) return 1 ;;
	esac
}

write_configuration() {
	cat <<-EOF
		# sallyport serve --help lists every setting; restart the service after a change.
		data_dir = "$DATA_DIR"
		cache_dir = "$CACHE_DIR"
	EOF
	! has_systemd || echo "admin_socket = \"$SOCKET_DIR/admin.sock\""
	# The service is handed the key; this is where root's own commands (restore, vault) find it.
	! has_systemd || echo "kek_file = \"$CONFIG_DIR/master.key\""
	echo "listen = [\"$LISTEN\"]"
	if is_clear; then
		echo 'tls = "off"'
	else
		echo 'tls = "acme"'
	fi
	[ -z "$EMAIL" ] || echo "acme_email = \"$EMAIL\""
	[ -z "$DOMAIN" ] || echo "public_url = \"https://$DOMAIN\""
	[ -z "$PUBLIC_URL" ] || cat <<-EOF
		# The proxy on this machine that holds the certificate of this address.
		public_url = "$PUBLIC_URL"
		trusted_proxy = ["127.0.0.1", "::1"]
	EOF
}

# Before anything is touched: nobody else has the ports.
require_ports() {
	if is_clear; then
		require_port "${LISTEN##*:}" "stop it, or choose another address with --listen"
	else
		proxy="or let it be the proxy that holds the certificate, with --public-url"
		require_port "${LISTEN##*:}" "stop it; $proxy"
		require_port $HTTP_PORT "stop it, because certificate authorities look there; $proxy"
	fi
}

# How to reach what was just started, for people. A firewall is told about, never changed.
print_address() {
	if is_clear; then
		[ -n "$PUBLIC_URL" ] || say "  reach it   ssh -L ${LISTEN##*:}:localhost:${LISTEN##*:} $(id -un)@$(uname -n)   (it listens on loopback only)"
	elif has ufw && ufw status 2>/dev/null | grep -q 'Status: active'; then
		say "  firewall   ufw allow ${LISTEN##*:}/tcp && ufw allow $HTTP_PORT/tcp"
	elif has firewall-cmd && firewall-cmd --state >/dev/null 2>&1; then
		say "  firewall   firewall-cmd --permanent --add-service=https --add-service=http && firewall-cmd --reload"
	fi
}

# --- the systemd unit ----------------------------------------------------------------------------------------------
# Deliberately absent: MemoryDenyWriteExecute (Bun, Node and their children compile code while they run), PrivateUsers
# (no low ports), ProcSubset=pid (packages ask for the machine's memory), IPAddressDeny (outgoing requests are the
# product; the gateway itself keeps them from private networks). Landlock's calls are named because @sandbox is not
# known to systemd 252.

write_unit() {
	cat <<-EOF
		# Written by install.sh, and written again by the next upgrade: put changes in "systemctl edit sallyport".
		[Unit]
		Description=Sallyport, a gateway to MCP servers
		After=network-online.target
		Wants=network-online.target
		StartLimitIntervalSec=300
		StartLimitBurst=5

		[Service]
		Type=notify
		NotifyAccess=main
		ExecStart=$CURRENT/sallyport serve
		User=$SERVICE_USER
		Group=$SERVICE_USER
		# Memory that was freed is kept for some seconds: given back at once, it costs a busy gateway a twentieth of its time.
		Environment=MIMALLOC_PURGE_DELAY=5000
		EnvironmentFile=-$CONFIG_DIR/sallyport.env
		LoadCredential=master.key:$CONFIG_DIR/master.key
		StateDirectory=sallyport
		StateDirectoryMode=0700
		CacheDirectory=sallyport
		CacheDirectoryMode=0700
		RuntimeDirectory=sallyport
		RuntimeDirectoryMode=0750
		WorkingDirectory=$DATA_DIR
		UMask=0077
		Restart=on-failure
		RestartSec=2
		WatchdogSec=60
		TimeoutStartSec=120
		# Open calls get 30 seconds to end.
		TimeoutStopSec=45
		# TERM goes to the gateway, which stops its children; what is left then is killed.
		KillMode=mixed
		# A child that takes too much memory must not take the gateway along.
		OOMPolicy=continue
		LimitNOFILE=65536
		TasksMax=1024
		AmbientCapabilities=CAP_NET_BIND_SERVICE
		CapabilityBoundingSet=CAP_NET_BIND_SERVICE
		NoNewPrivileges=yes
		ProtectSystem=strict
		ProtectHome=yes
		PrivateTmp=yes
		PrivateDevices=yes
		PrivateMounts=yes
		ProtectKernelTunables=yes
		ProtectKernelModules=yes
		ProtectKernelLogs=yes
		ProtectControlGroups=yes
		ProtectClock=yes
		ProtectHostname=yes
		ProtectProc=invisible
		# AF_NETLINK: programs ask it for the machine's addresses.
		RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
		RestrictNamespaces=yes
		RestrictRealtime=yes
		RestrictSUIDSGID=yes
		LockPersonality=yes
		RemoveIPC=yes
		KeyringMode=private
		DevicePolicy=closed
		SystemCallArchitectures=native
		SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self
		SystemCallFilter=~@privileged @resources @obsolete
		# An error, not a kill: libraries try, and fall back.
		SystemCallErrorNumber=EPERM

		[Install]
		WantedBy=multi-user.target
	EOF
}

# --- speech --------------------------------------------------------------------------------------------------------

say() { [ "$QUIET" = yes ] || printf '%s\n' "$*"; }

note() { printf '%s\n' "$*" >&2; }

# fail CODE WHAT [HINT]
fail() {
	printf 'install: error: %s\n' "$2" >&2
	[ -z "${3-}" ] || printf 'install: hint: %s\n' "$3" >&2
	exit "$1"
}

# problem CODE WHAT HINT: something that keeps us from beginning; all of them are told together.
problem() {
	printf 'install: error: %s\ninstall: hint: %s\n' "$2" "$3" >&2
	[ "$PROBLEM" -ne 0 ] || PROBLEM=$1
}

# Announces a step. False in a dry run: the step is only told.
step() {
	if [ "$DRY_RUN" = yes ]; then
		say "would $*"
		return 1
	fi
	say "$*"
}

usage() {
	cat <<-EOF
		install.sh [FLAGS]        installs sallyport; run again, it upgrades

		  --version V             this release, not the newest of the channel
		  --channel stable|beta   which releases (stable)
		  --mirror URL            where releases are, instead of the usual place
		  --offline FILE          an executable that was downloaded already (.gz or not), SHA256SUMS beside it
		  --checksum-only         do without the signature
		  --no-start              install everything, start nothing
		  --dry-run               say what would be done
		  --uninstall             remove the program; data, key and configuration stay
		  --uninstall --purge     remove those too; asks
		  --yes                   do not ask
		  --quiet                 say nothing but errors
		  --print-unit            print the systemd unit

		On a first installation, for its configuration:

		  --domain NAME           the gateway's name, which leads to this machine; may be chosen in the browser instead
		  --email E               where a certificate authority may write to
		  --listen ADDR:PORT      where it listens ($LISTEN_TLS; certificates also need port $HTTP_PORT);
		                          on localhost it speaks in clear, for an SSH tunnel
		  --public-url URL        the https address of a proxy on this machine that holds the certificate

		VERSION, CHANNEL, MIRROR, DOMAIN, EMAIL, LISTEN and PUBLIC_URL are also read from SALLYPORT_INSTALL_…
	EOF
}

# --- what was asked for --------------------------------------------------------------------------------------------

read_flags() {
	ACTION=install
	VERSION=${SALLYPORT_INSTALL_VERSION-}
	CHANNEL=${SALLYPORT_INSTALL_CHANNEL-stable}
	MIRROR=${SALLYPORT_INSTALL_MIRROR-$RELEASE_URL}
	DOMAIN=${SALLYPORT_INSTALL_DOMAIN-}
	EMAIL=${SALLYPORT_INSTALL_EMAIL-}
	LISTEN=${SALLYPORT_INSTALL_LISTEN-}
	PUBLIC_URL=${SALLYPORT_INSTALL_PUBLIC_URL-}
	OFFLINE='' CHECKSUM_ONLY=no START=yes DRY_RUN=no PURGE=no YES=no QUIET=no
	PROBLEM=0 STAGE='' UNDO=no OLD_RELEASE=''
	while [ $# -gt 0 ]; do
		case $1 in
			--*=*)
				flag=${1%%=*}
				value=${1#*=}
				shift
				set -- "$flag" "$value" "$@"
				;;
		esac
		case $1 in
			--version | --channel | --mirror | --offline | --domain | --email | --listen | --public-url)
				[ $# -ge 2 ] || fail 2 "$1 needs a value" "see install.sh --help"
				;;
		esac
		case $1 in
			--version) VERSION=$2 && shift ;;
			--channel) CHANNEL=$2 && shift ;;
			--mirror) MIRROR=$2 && shift ;;
			--offline) OFFLINE=$2 && shift ;;
			--domain) DOMAIN=$2 && shift ;;
			--email) EMAIL=$2 && shift ;;
			--listen) LISTEN=$2 && shift ;;
			--public-url) PUBLIC_URL=$2 && shift ;;
			--checksum-only) CHECKSUM_ONLY=yes ;;
			--no-start) START=no ;;
			--dry-run) DRY_RUN=yes ;;
			--uninstall) ACTION=uninstall ;;
			--purge) PURGE=yes ;;
			--yes) YES=yes ;;
			--quiet) QUIET=yes ;;
			--print-unit) ACTION=print-unit ;;
			--help | -h) ACTION=help ;;
			*) fail 2 "$1 is not known" "see install.sh --help" ;;
		esac
		shift
	done
	require_plain version "$VERSION"
	require_plain channel "$CHANNEL"
	case $MIRROR in
		'' | https://* | http://localhost[:/]* | http://127.0.0.1[:/]*) ;;
		*) fail 2 "$MIRROR is not an https address" "releases are downloaded over https only" ;;
	esac
	require_configurable
	[ "$PURGE" = no ] || [ "$ACTION" = uninstall ] || fail 2 "--purge goes with --uninstall" "see install.sh --help"
}

# What will stand in the configuration.
require_configurable() {
	GIVEN_LISTEN=$LISTEN
	case $LISTEN in
		'') ;;
		*[!0-9A-Za-z.:[\]-]* | *: | [!0-9A-Za-z[]*) fail 2 "$LISTEN is not an address to listen on" "it looks like $LISTEN_CLEAR or $LISTEN_TLS" ;;
		*:*) ;;
		*) fail 2 "$LISTEN is not an address to listen on" "it looks like $LISTEN_CLEAR or $LISTEN_TLS" ;;
	esac
	case $PUBLIC_URL in
		'') ;;
		*[!0-9A-Za-z.:/-]*) fail 2 "$PUBLIC_URL is not a public URL" "it looks like https://gate.example.org" ;;
		https://?*) ;;
		*) fail 2 "$PUBLIC_URL is not a public URL" "it looks like https://gate.example.org" ;;
	esac
	case $DOMAIN in
		'') ;;
		*[!0-9A-Za-z.-]* | .* | -* | *. | *..*) fail 2 "$DOMAIN is not a domain" "it looks like gate.example.org" ;;
		*.*) ;;
		*) fail 2 "$DOMAIN is not a domain" "it looks like gate.example.org" ;;
	esac
	case $EMAIL in
		'') ;;
		*[!0-9A-Za-z.@+_-]* | *@*@* | @* | *@) fail 2 "$EMAIL is not an e-mail address" "it looks like ada@example.org" ;;
		*@*) ;;
		*) fail 2 "$EMAIL is not an e-mail address" "it looks like ada@example.org" ;;
	esac
	[ -z "$DOMAIN" ] || [ -z "$PUBLIC_URL" ] ||
		fail 2 "--domain and --public-url are two answers to one question" "give --domain if the gateway is to hold the certificate, --public-url if a proxy has it"
	if [ -z "$LISTEN" ]; then
		LISTEN=$LISTEN_TLS
		[ -z "$PUBLIC_URL" ] || LISTEN=$LISTEN_CLEAR
	fi
	if is_clear; then
		[ -z "$DOMAIN$EMAIL" ] || fail 2 "on $LISTEN the gateway speaks in clear and orders no certificate" "leave --listen away, or --domain and --email"
	fi
}

# These become parts of paths and URLs.
require_plain() {
	case $2 in
		*[!0-9A-Za-z.+-]* | .*) fail 2 "$2 is not a $1" "see install.sh --help" ;;
	esac
}

# --- what this machine is ------------------------------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }

has_systemd() { [ -d /run/systemd/system ] && has systemctl; }

find_target() {
	[ "$(uname -s)" = Linux ] || fail 3 "$(uname -s) is not supported" "sallyport runs on Linux"
	case $(uname -m) in
		x86_64 | amd64) processor=x64 ;;
		aarch64 | arm64) processor=arm64 ;;
		*) fail 3 "the processor $(uname -m) is not supported" "x86_64 and aarch64 are" ;;
	esac
	TARGET=linux-$processor
	if is_musl; then
		TARGET=$TARGET-musl
	elif [ $processor = x64 ] && ! grep -qw avx2 /proc/cpuinfo; then
		TARGET=$TARGET-baseline
	fi
}

is_musl() {
	case $(ldd --version 2>&1 || true) in
		*musl*) return 0 ;;
		*GLIBC* | *GNU*) return 1 ;;
	esac
	for loader in /lib/ld-musl-*; do
		[ ! -e "$loader" ] || return 0
	done
	return 1
}

# Everything that would stop us half-way, told before anything is touched.
preflight() {
	[ "$DRY_RUN" = yes ] || [ "$(id -u)" -eq 0 ] ||
		problem 7 "only root can install" "use sudo, or --dry-run to see what would be done"
	for tool in awk cmp cp df gzip ln mv od readlink sed sha256sum sort su; do
		has "$tool" || problem 4 "$tool is missing" "install it: on Debian, apt-get install coreutils gzip mawk sed diffutils"
	done
	has useradd || has adduser || problem 4 "useradd is missing" "on Debian: apt-get install passwd"
	if [ -z "$OFFLINE" ]; then
		has curl || has wget || problem 4 "neither curl nor wget is here" "on Debian: apt-get install curl"
		[ -n "$MIRROR" ] || problem 2 "this copy of install.sh does not know where releases are" "name the place with --mirror URL, or a downloaded file with --offline FILE"
	fi
	if must_verify_signature; then
		has openssl || problem 4 "openssl is missing, so the signature cannot be verified" "on Debian: apt-get install openssl; or accept the checksum alone with --checksum-only"
	fi
	case $TARGET in
		*-musl) [ -e /usr/lib/libstdc++.so.6 ] || problem 4 "libstdc++ is missing" "on Alpine: apk add libstdc++" ;;
	esac
	if has_systemd; then
		found=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
		[ "${found:-0}" -ge $SYSTEMD_MIN ] ||
			problem 3 "systemd ${found:-of an unknown version} is too old" "systemd $SYSTEMD_MIN and newer can hand over the master key"
	fi
	if [ -e $LINK ] && [ "$(readlink $LINK)" != $CURRENT/sallyport ]; then
		problem 8 "$LINK is there and was not made by this installer" "move it away"
	fi
	require_space
	# A configuration that is kept says itself where to listen.
	if [ -e $CONFIG_DIR/sallyport.toml ]; then
		warn_of_kept_configuration
	elif [ "$START" = yes ]; then
		require_ports
	fi
	[ "$PROBLEM" -eq 0 ] || exit "$PROBLEM"
}

# The same command again is the usual upgrade; another one would be heeded in vain.
warn_of_kept_configuration() {
	for value in "$DOMAIN" "$EMAIL" "$GIVEN_LISTEN" "$PUBLIC_URL"; do
		if [ -z "$value" ] || grep -qF "$value" $CONFIG_DIR/sallyport.toml; then continue; fi
		note "install: warning: $CONFIG_DIR/sallyport.toml is kept as it is, without $value: change it by hand, then systemctl restart sallyport"
	done
}

require_space() {
	place=$APP_DIR
	while [ ! -d "$place" ]; do place=$(dirname "$place"); done
	free=$(df -Pk "$place" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free" -ge $APP_MEGABYTES ] ||
		problem 8 "$place has $free MB left, and $APP_MEGABYTES are needed" "make room there"
	[ -e $DATA_DIR/sallyport.db ] || return 0
	free=$(df -Pk $DATA_DIR | awk 'NR == 2 { print int($4 / 1024) }')
	size=$(du -k $DATA_DIR/sallyport.db | awk '{ print int($1 / 1024) + 1 }')
	[ "$free" -ge $((size * 3)) ] ||
		problem 8 "$DATA_DIR has $free MB left, and the upgrade copies a database of $size MB" "make room there"
}

# require_port PORT HINT
require_port() {
	holder=$(listener_of "$1")
	[ -z "$holder" ] || problem 8 "port $1 is in use by $holder" "$2"
}

# Who listens on a TCP port, from /proc alone; nothing when nobody does.
listener_of() {
	sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }')
	[ -n "$sockets" ] || return 0
	for socket in $sockets; do
		# shellcheck disable=SC2012 # fixed names, and one process for all of them
		holder=$(ls -l /proc/[0-9]*/fd 2>/dev/null |
			awk -v socket="socket:[$socket]" '/^\/proc/ { split($0, part, "/") } $NF == socket { print part[3]; exit }') || true
		[ -z "$holder" ] || break
	done
	if [ -n "$holder" ]; then
		echo "$(cat "/proc/$holder/comm" 2>/dev/null) (process $holder)"
	else
		echo "another process"
	fi
}

# --- the new executable --------------------------------------------------------------------------------------------

# fetch URL [FILE]: to a file, or to standard output. Redirects stay in the protocol.
fetch() {
	case $1 in
		https://*) protocol='=https' ;;
		*) protocol='=http' ;;
	esac
	if has curl; then
		curl --proto "$protocol" --proto-redir "$protocol" --tlsv1.2 --retry 2 --connect-timeout 15 --max-time 900 \
			-fsSL ${2:+-o "$2"} "$1"
	else
		wget -q -T 30 -O "${2:--}" "$1"
	fi
}

download() {
	fetch "$MIRROR/$VERSION/$1" "$STAGE/$1" || fail 5 "$MIRROR/$VERSION/$1 could not be downloaded" "${2-look at the network and at the version, or download elsewhere and use --offline FILE}"
}

choose_version() {
	[ -z "$OFFLINE" ] || return 0
	[ -z "$VERSION" ] || return 0
	VERSION=$(fetch "$MIRROR/$CHANNEL") || fail 5 "the newest $CHANNEL release could not be asked for at $MIRROR" "look at the network, or download elsewhere and use --offline FILE"
	[ -n "$VERSION" ] || fail 5 "$MIRROR/$CHANNEL names no release" "name one with --version V"
	require_plain version "$VERSION"
	[ -n "$OLD_RELEASE" ] || return 0
	old=$(version_of "$OLD_RELEASE")
	if is_newer "$old" "$VERSION"; then
		fail 8 "sallyport $old is installed, and newer than $VERSION" "an older release must be asked for: --version $VERSION"
	fi
}

is_newer() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$1" ]; }

# releases/1.4.2-0a1b2c3d → 1.4.2
version_of() {
	name=${1##*/}
	echo "${name%-*}"
}

# A folder beside the releases, ours alone; also the lock against a second installer.
open_stage() {
	mkdir -p $APP_DIR/releases
	stage=$APP_DIR/stage
	if ! mkdir -m 0700 $stage 2>/dev/null; then
		other=$(cat $stage/pid 2>/dev/null || true)
		if [ -n "$other" ] && kill -0 "$other" 2>/dev/null; then
			fail 8 "another installer is at work (process $other)" "wait for it to end"
		fi
		rm -rf $stage
		mkdir -m 0700 $stage
	fi
	STAGE=$stage
	echo $$ >"$STAGE/pid"
}

# Leaves the verified executable at "$STAGE/sallyport", or sets SAME when it is the one that is installed.
obtain() {
	SAME=no
	file=sallyport-$TARGET.gz
	if [ -n "$OFFLINE" ]; then
		file=$(basename "$OFFLINE")
		folder=$(dirname "$OFFLINE")
		[ -f "$OFFLINE" ] || fail 2 "$OFFLINE is not a file" "see install.sh --help"
		[ -f "$folder/SHA256SUMS" ] || fail 6 "SHA256SUMS is not beside $OFFLINE" "download it from the same place"
		cp "$folder/SHA256SUMS" "$STAGE/SHA256SUMS"
		[ ! -f "$folder/SHA256SUMS.sig" ] || cp "$folder/SHA256SUMS.sig" "$STAGE/SHA256SUMS.sig"
	else
		download SHA256SUMS
		! must_verify_signature || download SHA256SUMS.sig
	fi
	verify_signature
	if is_installed "$(sum_of "${file%.gz}")"; then
		SAME=yes
		return 0
	fi
	if [ -n "$OFFLINE" ]; then
		cp "$OFFLINE" "$STAGE/$file"
	else
		say "downloading sallyport $VERSION for $TARGET"
		download "$file"
	fi
	verify_sum "$file"
	case $file in
		*.gz) gzip -dc "$STAGE/$file" >"$STAGE/sallyport" ;;
		*) mv "$STAGE/$file" "$STAGE/sallyport" ;;
	esac || fail 1 "the executable could not be unpacked in $APP_DIR" "look for free space there"
	chmod 0755 "$STAGE/sallyport"
}

must_verify_signature() { [ -n "$RELEASE_KEY" ] && [ "$CHECKSUM_ONLY" = no ]; }

verify_signature() {
	if ! must_verify_signature; then
		note "install: warning: only the checksum is verified, not the signature"
		return 0
	fi
	[ -f "$STAGE/SHA256SUMS.sig" ] || fail 6 "SHA256SUMS.sig is missing" "download it from the same place, or accept the checksum alone with --checksum-only"
	printf '%s\n' "$RELEASE_KEY" >"$STAGE/key.pem"
	openssl dgst -sha256 -verify "$STAGE/key.pem" -signature "$STAGE/SHA256SUMS.sig" "$STAGE/SHA256SUMS" >/dev/null 2>&1 ||
		fail 6 "the signature of SHA256SUMS does not verify: nothing was installed" "download again from the official place; if it happens again, tell the maintainers"
}

sum_of() { awk -v name="$1" '$2 == name { print $1 }' "$STAGE/SHA256SUMS"; }

verify_sum() {
	wanted=$(sum_of "$1")
	[ -n "$wanted" ] || fail 6 "SHA256SUMS does not name $1" "is it of the same release, and the file's name unchanged"
	found=$(sha256sum "$STAGE/$1" | awk '{ print $1 }')
	[ "$wanted" = "$found" ] ||
		fail 6 "the checksum of $1 does not match: nothing was installed" "download again from the official place"
}

is_installed() {
	[ -n "$1" ] && [ -f $CURRENT/sallyport ] && [ "$(sha256sum $CURRENT/sallyport | awk '{ print $1 }')" = "$1" ]
}

# The new executable runs here, is what it should be, and can open a copy of the data.
prove() {
	spoken=$(env -i PATH="$PATH" "$STAGE/sallyport" version) ||
		fail 3 "the executable for $TARGET does not run here" "is $APP_DIR mounted noexec"
	spoken=${spoken#sallyport }
	[ -n "$VERSION" ] || VERSION=$spoken
	require_plain version "$spoken"
	[ "$spoken" = "$VERSION" ] ||
		fail 6 "the executable says that it is $spoken, not $VERSION: nothing was installed" "tell the maintainers"
	[ -e $DATA_DIR/sallyport.db ] || return 0
	say "checking that $VERSION can open the data (on a copy)"
	env -i PATH="$PATH" TMPDIR="$STAGE" "$STAGE/sallyport" serve --check --kek-file $CONFIG_DIR/master.key >/dev/null ||
		fail 8 "sallyport $VERSION cannot take over the data in $DATA_DIR: nothing was changed" "the reason stands above"
}

# --- what goes on the machine --------------------------------------------------------------------------------------

make_user() {
	! id $SERVICE_USER >/dev/null 2>&1 || return 0
	step "make the user $SERVICE_USER" || return 0
	if has useradd; then
		useradd --system --user-group --home-dir $DATA_DIR --no-create-home --shell /usr/sbin/nologin $SERVICE_USER
	else
		addgroup -S $SERVICE_USER
		adduser -S -D -H -h $DATA_DIR -s /sbin/nologin -G $SERVICE_USER $SERVICE_USER
	fi
}

make_directories() {
	mkdir -p $CONFIG_DIR
	for directory in $DATA_DIR $CACHE_DIR; do
		[ ! -d "$directory" ] || continue
		mkdir -p "$directory"
		chmod 0700 "$directory"
		chown $SERVICE_USER:$SERVICE_USER "$directory"
	done
}

# What exists is never touched.
make_configuration() {
	if [ ! -e $CONFIG_DIR/sallyport.toml ] && step "write $CONFIG_DIR/sallyport.toml"; then
		write_configuration >$CONFIG_DIR/sallyport.toml
		chmod 0644 $CONFIG_DIR/sallyport.toml
	fi
	if [ ! -e $CONFIG_DIR/master.key ] && step "make the master key $CONFIG_DIR/master.key"; then
		[ ! -e $DATA_DIR/sallyport.db ] ||
			fail 8 "$DATA_DIR has data, but its master key is gone from $CONFIG_DIR/master.key" "put the key back; a new one would not open the stored secrets"
		(
			umask 0377
			od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n' >$CONFIG_DIR/master.key
		)
	fi
	proxies=$(env | sed -n -e '/^HTTPS\{0,1\}_PROXY=/p' -e '/^NO_PROXY=/p' -e '/^https\{0,1\}_proxy=/p' -e '/^no_proxy=/p')
	if [ -n "$proxies" ] && [ ! -e $CONFIG_DIR/sallyport.env ] && step "write the proxy to $CONFIG_DIR/sallyport.env"; then
		(
			umask 0077
			printf '%s\n' "$proxies" >$CONFIG_DIR/sallyport.env
		)
	fi
}

place_release() {
	release=$APP_DIR/releases/$VERSION-$(sha256sum "$STAGE/sallyport" | cut -c1-8)
	mkdir -p "$release"
	mv "$STAGE/sallyport" "$release/sallyport"
	NEW_RELEASE=$release
}

# Replaces the link in one rename, so that it always points somewhere.
point_to() {
	ln -sfn "$1" $APP_DIR/next
	mv -T $APP_DIR/next $CURRENT
}

make_link() {
	[ ! -e $LINK ] || return 0
	mkdir -p "$(dirname $LINK)" 2>/dev/null || true
	ln -s $CURRENT/sallyport $LINK 2>/dev/null ||
		note "install: warning: $LINK cannot be written; the program is $CURRENT/sallyport"
}

unit_is_current() { write_unit | cmp -s - $UNIT; }

place_unit() {
	write_unit >$UNIT
	chmod 0644 $UNIT
	! has restorecon || restorecon $UNIT || true
	systemctl daemon-reload
}

prune_releases() {
	# shellcheck disable=SC2012 # the names are ours: versions and hashes
	ls -1dt $APP_DIR/releases/* | tail -n +$((KEPT_RELEASES + 1)) | while read -r release; do
		[ "$release" = "$(readlink $CURRENT)" ] || rm -rf "$release"
	done
}

# --- the switch ----------------------------------------------------------------------------------------------------

# From the stop of the old release to the health of the new one; whatever ends us in between is undone by `leave`.
switch() {
	UNDO=yes
	[ -z "$OLD_RELEASE" ] || systemctl stop sallyport
	snapshot || fail 9 "the database could not be copied" "look for free space in $DATA_DIR"
	point_to "$NEW_RELEASE"
	place_unit
	systemctl reset-failed sallyport 2>/dev/null || true
	systemctl enable --quiet sallyport
	say "starting sallyport $VERSION"
	systemctl start sallyport || fail 9 "sallyport $VERSION did not start"
	wait_until_healthy || fail 9 "sallyport $VERSION did not become healthy within $HEALTHY_SECONDS seconds"
	UNDO=no
}

# As the service's own user: root does not write where that user could have laid a link.
as_service() { su -s /bin/sh -c "umask 0077 && cd $DATA_DIR && $1" $SERVICE_USER; }

snapshot() {
	[ -e $DATA_DIR/sallyport.db ] || return 0
	# Half a copy is worth nothing, and takes the room that the old release needs to run again.
	as_service 'rm -rf before-upgrade && mkdir before-upgrade && cp -p sallyport.db before-upgrade/ &&
		if [ -e sallyport.db-wal ]; then cp -p sallyport.db-wal before-upgrade/; fi || { rm -rf before-upgrade; false; }' || return 1
	SNAPSHOT=yes
}

put_back() {
	[ "$SNAPSHOT" = yes ] || return 0
	as_service 'rm -f sallyport.db sallyport.db-wal sallyport.db-shm && cp -p before-upgrade/sallyport.db* .'
}

# Answers over its admin socket, which is there whatever it listens on.
is_healthy() {
	systemctl is-active --quiet sallyport && env -i PATH="$PATH" $CURRENT/sallyport servers list --json >/dev/null 2>&1
}

wait_until_healthy() {
	waited=0
	until is_healthy; do
		waited=$((waited + 1))
		[ $waited -lt $HEALTHY_SECONDS ] || return 1
		sleep 1
	done
}

roll_back() {
	note "install: what the new release said:"
	journalctl -u sallyport -n 20 --no-pager -o cat >&2 2>/dev/null
	systemctl stop sallyport
	systemctl reset-failed sallyport 2>/dev/null
	if [ -z "$OLD_RELEASE" ]; then
		systemctl disable --quiet sallyport
		note "install: sallyport is installed but does not run; once the reason is removed: systemctl enable --now sallyport"
		return
	fi
	if [ "$NEW_RELEASE" = "$OLD_RELEASE" ]; then
		note "install: sallyport $VERSION was installed before and does not run: see journalctl -u sallyport"
		return
	fi
	point_to "$OLD_RELEASE"
	rm -rf "$NEW_RELEASE"
	[ ! -f "$STAGE/unit" ] || cp "$STAGE/unit" $UNIT
	put_back
	systemctl daemon-reload
	if systemctl start sallyport && wait_until_healthy; then
		note "install: rolled back: sallyport $(version_of "$OLD_RELEASE") runs again, with its database as it was"
	else
		note "install: sallyport $(version_of "$OLD_RELEASE") was put back and does not run either: see journalctl -u sallyport"
	fi
}

leave() {
	code=$?
	trap - EXIT
	set +e
	if [ "$UNDO" = yes ]; then
		UNDO=no
		roll_back
		code=9
	fi
	if [ -n "$STAGE" ]; then
		rm -rf "$STAGE" $APP_DIR/next
		rmdir $APP_DIR/releases $APP_DIR 2>/dev/null
	fi
	exit "$code"
}

# --- the actions ---------------------------------------------------------------------------------------------------

install_or_upgrade() {
	find_target
	[ ! -e $CURRENT ] || OLD_RELEASE=$(readlink $CURRENT)
	SNAPSHOT=no
	preflight
	choose_version
	if [ "$DRY_RUN" = yes ]; then
		tell_plan
		return 0
	fi
	open_stage
	obtain
	if [ "$SAME" = yes ]; then
		VERSION=$(version_of "$OLD_RELEASE")
		NEW_RELEASE=$OLD_RELEASE
		if ! has_systemd || { unit_is_current && { [ "$START" = no ] || is_healthy; }; }; then
			say "sallyport $VERSION is installed already: nothing to do"
			return 0
		fi
	else
		prove
	fi
	make_user
	make_directories
	make_configuration
	[ "$SAME" = yes ] || place_release
	make_link
	if ! has_systemd; then
		point_to "$NEW_RELEASE"
		tell_by_hand
		return 0
	fi
	if [ "$START" = no ] && ! systemctl is-active --quiet sallyport; then
		point_to "$NEW_RELEASE"
		place_unit
		say "sallyport $VERSION is installed; start it with: systemctl enable --now sallyport"
	else
		[ ! -f $UNIT ] || cp $UNIT "$STAGE/unit"
		switch
		prune_releases
		tell_success
	fi
}

tell_plan() {
	say "would verify and install sallyport ${VERSION:-of $OFFLINE} for $TARGET in $APP_DIR"
	[ ! -e $DATA_DIR/sallyport.db ] || say "would check that it can open a copy of $DATA_DIR/sallyport.db"
	make_user
	make_configuration
	[ -e $LINK ] || say "would link $LINK"
	if has_systemd; then
		unit_is_current || say "would write $UNIT"
		[ "$START" = no ] || say "would start the service, and put everything back if it does not become healthy"
	fi
}

tell_by_hand() {
	say "sallyport $VERSION is installed; systemd does not run here, so start it with your own init system, or by hand:"
	is_clear || say "  sysctl -w net.ipv4.ip_unprivileged_port_start=$HTTP_PORT"
	# shellcheck disable=SC2016 # for the reader's shell
	say "  install -o $SERVICE_USER -m 0400 $CONFIG_DIR/master.key $DATA_DIR/master.key"
	say "  su -s /bin/sh -c 'exec $CURRENT/sallyport serve' $SERVICE_USER"
}

tell_success() {
	if [ -n "$OLD_RELEASE" ] && [ "$OLD_RELEASE" != "$NEW_RELEASE" ]; then
		say "sallyport $VERSION runs (before: $(version_of "$OLD_RELEASE"))"
	else
		say "sallyport $VERSION is installed and runs"
	fi
	is_clear || say "asking for a certificate, which may take a minute"
	# Refused once there is an owner: an upgrade never prints a key to the gate.
	link=$(env -i PATH="$PATH" USER="$(id -un)" $CURRENT/sallyport setup-link 2>"$STAGE/notes") || return 0
	if [ "$QUIET" = no ]; then sed '/^open this link/d' "$STAGE/notes" >&2; fi
	say "  set it up  $link"
	print_address
	say "  look       systemctl status sallyport, journalctl -u sallyport"
	say "  upgrade    run this installer again; --uninstall removes it and keeps the data"
}

uninstall() {
	[ "$DRY_RUN" = yes ] || [ "$(id -u)" -eq 0 ] || fail 7 "only root can uninstall" "use sudo"
	[ "$PURGE" = no ] || [ "$DRY_RUN" = yes ] || confirm_purge
	if has_systemd && [ -e $UNIT ] && step "stop the service and remove $UNIT"; then
		systemctl disable --quiet --now sallyport || true
		rm -f $UNIT
		systemctl daemon-reload
	fi
	if [ "$(readlink $LINK 2>/dev/null)" = $CURRENT/sallyport ] && step "remove $LINK"; then
		rm -f $LINK
	fi
	if [ -d $APP_DIR ] && step "remove $APP_DIR"; then
		rm -rf $APP_DIR
	fi
	if [ "$PURGE" = no ]; then
		say "kept: $DATA_DIR (data), $CONFIG_DIR (master key, configuration) and the user $SERVICE_USER"
		return 0
	fi
	if step "remove $DATA_DIR, $CONFIG_DIR, $CACHE_DIR and the user $SERVICE_USER"; then
		rm -rf $DATA_DIR $CONFIG_DIR $CACHE_DIR
		if has userdel; then
			userdel $SERVICE_USER 2>/dev/null || true
		else
			deluser $SERVICE_USER 2>/dev/null || true
		fi
	fi
}

confirm_purge() {
	[ "$YES" = no ] || return 0
	host=$(uname -n)
	answer=''
	{ printf 'this removes every stored secret and cannot be undone; type the name of this machine (%s): ' "$host" >/dev/tty &&
		read -r answer </dev/tty; } 2>/dev/null || fail 2 "there is no terminal to ask on" "add --yes"
	[ "$answer" = "$host" ] || fail 2 "that is not $host: nothing was removed"
}

main() {
	read_flags "$@"
	# The script itself may be coming from standard input; nothing we run may eat it.
	exec </dev/null
	umask 022
	trap leave EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	case $ACTION in
		help) usage ;;
		print-unit) write_unit ;;
		uninstall) uninstall ;;
		install) install_or_upgrade ;;
	esac
}

# One compound command, complete or not at all: a download that was cut off does nothing.
{ main "$@"; }
