#!/bin/sh
# Installs what is missing to work on dotstub, and nothing else:
#
#   deps/setup.sh build      a compiler, meson, the libraries     (make)
#   deps/setup.sh demo       and what the demo runs               (make demo)
#   deps/setup.sh test       and the tests' servers and linters   (make test)
#   deps/setup.sh fuzz       build, and clang with libFuzzer      (make fuzz)
#   deps/setup.sh static     build, and sources for -Dstatic_deps=true
#   deps/setup.sh container  what tests/container/check.sh runs
#   deps/setup.sh package    what tests/package/check.sh runs
#
# Things are looked for, not packages: a meson from elsewhere will do. The
# machine's package sources stay as they are, and no installed server starts.
# Where a library is too old or cannot be installed, meson builds it from the
# wrap beside this file.
set -eu

group=${1:-build}
case $group in
build | demo | test | fuzz | static | container | package) ;;
*)
    echo "usage: $0 [build|demo|test|fuzz|static|container|package]" >&2
    exit 64
    ;;
esac
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

say() {
    echo "set-up: $*"
}

die() {
    say "$*" >&2
    exit 1
}

# group  what to look for  where it is: Debian  Fedora  Alpine  Arch
needs() {
    cat <<'TABLE'
build cmd:gcc gcc gcc gcc gcc
build file:/usr/include/stdio.h libc6-dev glibc-devel musl-dev glibc
build cmd:meson meson meson meson meson
build cmd:ninja ninja-build ninja-build ninja-build ninja
build cmd:pkg-config pkg-config pkgconf-pkg-config pkgconf pkgconf
build lib:libuv>=1.44 libuv1-dev libuv-devel libuv-dev libuv
build lib:yaml-0.1>=0.2 libyaml-dev libyaml-devel yaml-dev libyaml
build lib:libcyaml>=1.3 libcyaml-dev libcyaml-devel - -
build lib:jansson>=2.13 libjansson-dev jansson-devel jansson-dev jansson
build lib:mbedtls>=3.6<4 - mbedtls-devel mbedtls-dev mbedtls
build lib:libseccomp>=2.5 libseccomp-dev libseccomp-devel libseccomp-dev libseccomp
build lib:libmicrohttpd>=0.9.73 libmicrohttpd-dev libmicrohttpd-devel libmicrohttpd-dev libmicrohttpd
build lib:libfstrm>=0.6 libfstrm-dev fstrm-devel fstrm-dev fstrm
build dir:/etc/ssl/certs ca-certificates ca-certificates ca-certificates ca-certificates
demo cmd:python3 python3 python3 python3 python
demo py:dns python3-dnspython python3-dns py3-dnspython python-dnspython
demo py:cryptography python3-cryptography python3-cryptography py3-cryptography python-cryptography
demo cmd:dig bind9-dnsutils bind-utils bind-tools bind
test lib:cmocka>=1.1 libcmocka-dev libcmocka-devel cmocka-dev cmocka
test py:pytest python3-pytest python3-pytest py3-pytest python-pytest
test py:yaml python3-yaml python3-pyyaml py3-yaml python-yaml
test cmd:nsd nsd nsd nsd nsd
test cmd:unbound unbound unbound unbound unbound
test cmd:kresd knot-resolver knot-resolver knot-resolver knot-resolver
test cmd:named bind9 bind bind bind
test cmd:dnsdist dnsdist dnsdist dnsdist dnsdist
test cmd:dnsmasq dnsmasq-base dnsmasq dnsmasq dnsmasq
test cmd:kdig knot-dnsutils knot-utils knot-utils knot
test cmd:drill ldnsutils ldns-utils ldns-tools ldns
test cmd:zsh zsh zsh zsh zsh
test cmd:fish fish fish fish fish
test cmd:ip iproute2 iproute iproute2 iproute2
test cmd:fstrm_capture fstrm-bin fstrm-utils fstrm-utils fstrm
test cmd:dnstap-ldns dnstap-ldns - - -
test cmd:systemd-analyze systemd systemd - systemd
test cmd:openssl openssl openssl openssl openssl
test cmd:musl-gcc musl-tools musl-gcc - musl
test cmd:clang clang clang clang clang
test cmd:clang-tidy clang-tidy clang-tools-extra clang-extra-tools clang
test cmd:clang-format clang-format clang-tools-extra clang-extra-tools clang
test cmd:cppcheck cppcheck cppcheck cppcheck cppcheck
test cmd:mandoc mandoc mandoc mandoc mandoc
test cmd:shellcheck shellcheck ShellCheck shellcheck shellcheck
test cmd:yamllint yamllint yamllint yamllint yamllint
test cmd:promtool prometheus - prometheus prometheus
test cmd:chromium chromium chromium chromium chromium
test cmd:codespell codespell codespell codespell codespell
fuzz cmd:clang clang clang clang clang
fuzz rt:fuzzer libclang-rt-dev compiler-rt compiler-rt compiler-rt
container cmd:buildah buildah buildah buildah buildah
container cmd:podman podman podman podman podman
container cmd:crun crun crun crun crun
container cmd:mmdebstrap mmdebstrap - - -
container cmd:iptables iptables iptables iptables iptables
container cmd:catatonit catatonit catatonit catatonit catatonit
container dir:/usr/lib/podman netavark,aardvark-dns netavark,aardvark-dns netavark,aardvark-dns netavark,aardvark-dns
container cmd:dig bind9-dnsutils bind-utils bind-tools bind
package cmd:dpkg-buildpackage dpkg-dev - - -
package cmd:dh debhelper - - -
package cmd:lintian lintian - - -
package cmd:mmdebstrap mmdebstrap - - -
package cmd:systemd-analyze systemd - - -
package lib:libmicrohttpd>=0.9.73 libmicrohttpd-dev - - -
package lib:libfstrm>=0.6 libfstrm-dev - - -
TABLE
}

# The groups that are meant when this one is asked for.
in_group() {
    case $group:$1 in
    *:"$group" | demo:build | test:build | test:demo | fuzz:build | static:build) ;;
    *) return 1 ;;
    esac
}

python=/usr/bin/python3
[ -x $python ] || python=python3

python_lacks=
find_python_modules() {
    [ "$group" = demo ] || [ "$group" = test ] || return 0
    python_lacks=$($python -c '
from importlib.util import find_spec
for m in ("dns", "cryptography", "pytest", "yaml"):
    if not find_spec(m):
        print("", m, "", sep="/")
' 2>/dev/null) || python_lacks=/dns/cryptography/pytest/yaml/
}

# Is it there? lib:NAME>=A[<B] asks pkg-config, rt:fuzzer links a program.
has() {
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    file:*) [ -f "${1#file:}" ] ;;
    dir:*) [ -n "$(ls "${1#dir:}" 2>/dev/null)" ] ;;
    py:*)
        case $python_lacks in
        */"${1#py:}"/*) return 1 ;;
        esac
        ;;
    lib:*)
        lib=${1#lib:}
        name=${lib%%[<>]*}
        lib=${lib#"$name"}
        above=${lib#>=}
        below=
        case $above in
        *'<'*) below=", $name < ${above#*<}" ;;
        esac
        pkg-config --exists "$name >= ${above%<*}$below" 2>/dev/null
        ;;
    rt:fuzzer)
        echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
            clang -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null
        ;;
    esac
}

distribution=other
column=3
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    distribution=debian
elif command -v dnf >/dev/null; then
    distribution=fedora column=4
elif command -v apk >/dev/null; then
    distribution=alpine column=5
elif command -v pacman >/dev/null; then
    distribution=arch column=6
fi

# Leaves in missing: what is not there; in must: the part of it without which
# nothing works (a library has its wrap, a tool of the tests is skipped); in
# packages: the names to install; in tls_missing: whether Mbed TLS is among it.
look() {
    missing='' must='' packages='' tls_missing=''
    find_python_modules
    while read -r of probe debian fedora alpine arch; do
        in_group "$of" || continue
        has "$probe" && continue
        missing="$missing ${probe#*:}"
        case $of-$probe in
        build-lib:mbedtls*) tls_missing=yes ;;
        build-lib:*) ;;
        build-* | demo-* | test-lib:* | test-py:*) must="$must ${probe#*:}" ;;
        esac
        case $column in
        3) package=$debian ;;
        4) package=$fedora ;;
        5) package=$alpine ;;
        *) package=$arch ;;
        esac
        [ "$package" = - ] && continue
        packages="$packages $(echo "$package" | tr , ' ')"
    done <<LIST
$(needs)
LIST
    missing=${missing# }
    must=${must# }
    packages=${packages# }
}

# We may not or cannot install: say what is missing and how to get it. That is
# the end only if nothing works without it.
advise() {
    if [ -n "$must" ]; then
        die "not installed: $missing; $1"
    fi
    say "not installed: $missing; libraries will be built from deps/*.wrap," \
        "and what needs anything else will be skipped; $1"
    exit 0
}

log=
policy=/usr/sbin/policy-rc.d
held=
state=
restore() {
    if [ -n "$held" ]; then
        rm -f $policy
        [ ! -e $policy.dotstub ] || mv -f $policy.dotstub $policy
        held=
    fi
    rm -rf ${log:+"$log"} ${state:+"$state"}
}

# Debian starts a server when its package is installed, unless this file says
# no. A file that was there before comes back afterwards; one of ours, left by
# a run that was killed, does not.
hold_services() {
    if [ -e $policy ] && ! grep -q 'set-up of dotstub' $policy; then
        mv -f $policy $policy.dotstub
    fi
    held=yes
    printf '#!/bin/sh\n# the set-up of dotstub is running\nexit 101\n' >$policy
    chmod 755 $policy
}

servers='nsd unbound knot-resolver bind9 dnsdist prometheus'
installed() {
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) in
    ii*) ;;
    *) return 1 ;;
    esac
}

# Nor may a server of the tests start with the next boot.
disable_services() {
    command -v systemctl >/dev/null || return 0
    for package in $new_servers; do
        installed "$package" || continue
        units=$(dpkg -L "$package" |
            sed -n 's,^.*/systemd/system/\([^/]*[^@/]\.service\)$,\1,p')
        # shellcheck disable=SC2086
        [ -z "$units" ] || systemctl disable $units >/dev/null 2>&1 || :
    done
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false \
        "$@" >>"$log" 2>&1 </dev/null
}

apt_failed() {
    tail -n 12 "$log" >&2
    die "could not install: $1 (is there a package mirror within reach?)"
}

updated=
update() {
    [ -z "$updated" ] || return 0
    say "reading the package lists"
    apt update || :
    updated=yes
}

candidate() {
    apt-cache policy "$1" | sed -n 's/^  Candidate: //p'
}

known() {
    case $(candidate "$1") in
    '' | '(none)') return 1 ;;
    esac
}

# A package that this release does not have must not keep the others away.
install_packages() {
    here='' absent='' new_servers=''
    for package in $packages; do
        known "$package" || update
        if known "$package"; then
            here="$here $package"
        else
            absent="$absent $package"
        fi
    done
    for package in $servers; do
        installed "$package" || new_servers="$new_servers $package"
    done
    [ -z "$absent" ] || say "not packaged here:$absent"
    [ -n "$here" ] || return 0
    say "installing$here"
    hold_services
    # shellcheck disable=SC2086
    apt install $here || { update && apt install $here; } || apt_failed "$here"
    disable_services
}

tls_new_enough() {
    dpkg --compare-versions "$1" ge 3.6 && dpkg --compare-versions "$1" lt 4
}

archive_uri() {
    # $(REPO_URI) is apt's to expand. The labels keep other archives out.
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        'Origin: Debian' 'Label: Debian' "Codename: $VERSION_CODENAME" |
        head -n 1
}

# Debian 12 has Mbed TLS 2.28. The packages of Debian 13 install there as they
# are; they are fetched with a list, a cache and a preference file of our own,
# so that the machine's apt never hears of the other release.
install_tls_from_next_release() {
    uri=$(archive_uri)
    [ -n "$uri" ] || { update && uri=$(archive_uri); }
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -n "$uri" ] && [ -f $key ] || return 1
    state=$(mktemp -d)
    chmod 755 "$state"
    mkdir -p "$state/none" "$state/lists/partial" \
        "$state/cache/archives/partial"
    : >"$state/empty"
    chown -R _apt "$state/lists/partial" "$state/cache/archives/partial" \
        2>/dev/null || :
    echo "deb [signed-by=$key target=Packages] $uri trixie main" \
        >"$state/sources.list"
    say "installing libmbedtls-dev of Debian 13"
    set -- -o Dir::Etc::SourceList="$state/sources.list" \
        -o Dir::Etc::SourceParts="$state/none" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
        -o Acquire::Languages=none -o APT::Default-Release= \
        -o Dir::Etc::Preferences="$state/empty" \
        -o Dir::Etc::PreferencesParts="$state/none"
    if apt "$@" update && apt "$@" --no-remove install libmbedtls-dev; then
        return 0
    fi
    tail -n 12 "$log" >&2
    return 1
}

install_tls() {
    ! has 'lib:mbedtls>=3.6<4' || return 0
    known libmbedtls-dev || update
    if tls_new_enough "$(candidate libmbedtls-dev)"; then
        say "installing libmbedtls-dev"
        apt install libmbedtls-dev || apt_failed libmbedtls-dev
        return 0
    fi
    # shellcheck disable=SC1091
    . /etc/os-release
    if [ "${ID:-}" = debian ] && install_tls_from_next_release; then
        return 0
    fi
    say "no package of Mbed TLS 3.6 here: meson will build deps/mbedtls.wrap"
}

# The static library of Debian wants GnuTLS, which has none, so deps/
# libmicrohttpd.wrap is built. Its source is Debian's too: whoever reaches
# a mirror needs nothing else. Anybody else's meson asks the project's site.
fetch_sources() {
    wrap=$(dirname "$0")/libmicrohttpd.wrap
    cache=$(dirname "$0")/packagecache
    file=$(sed -n 's/^source_filename = //p' "$wrap")
    hash=$(sed -n 's/^source_hash = //p' "$wrap")
    [ ! -f "$cache/$file" ] || return 0
    # shellcheck disable=SC1091
    . /etc/os-release
    uri=$(archive_uri)
    [ -n "$uri" ] || { update && uri=$(archive_uri); }
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -n "$uri" ] && [ -f $key ] || return 1
    rm -rf ${state:+"$state"}
    state=$(mktemp -d)
    chmod 755 "$state"
    mkdir -p "$state/none" "$state/lists/partial" "$state/source" "$cache"
    chown -R _apt "$state/lists/partial" "$state/source" 2>/dev/null || :
    echo "deb-src [signed-by=$key target=Sources] $uri trixie main" \
        >"$state/sources.list"
    say "fetching the source of libmicrohttpd"
    (cd "$state/source" &&
        apt -o Dir::Etc::SourceList="$state/sources.list" \
            -o Dir::Etc::SourceParts="$state/none" \
            -o Dir::State::Lists="$state/lists" update &&
        apt -o Dir::Etc::SourceList="$state/sources.list" \
            -o Dir::Etc::SourceParts="$state/none" \
            -o Dir::State::Lists="$state/lists" \
            source --download-only --tar-only libmicrohttpd) || return 1
    found=$(sha256sum "$state"/source/*.orig.tar.gz | cut -d ' ' -f 1)
    [ "$found" = "$hash" ] || return 1
    mv "$state"/source/*.orig.tar.gz "$cache/$file"
}

# Not root: sudo if it may be used now, else the words to type.
become_root() {
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }
    then
        say "not installed: $missing; asking sudo"
        exec sudo -- "$0" "$group"
    fi
    advise "to install it, as root: $0 $group"
}

look
if [ -z "$missing" ] && [ "$group-$distribution" != static-debian ]; then
    say "all there for '$group'"
    exit 0
fi
case $distribution in
debian) [ "$(id -u)" = 0 ] || become_root ;;
fedora) advise "to install it: dnf install $packages" ;;
alpine) advise "to install it: apk add $packages" ;;
arch) advise "to install it: pacman -S --needed $packages" ;;
*) advise "to install it, use this system's package manager" ;;
esac

log=$(mktemp)
trap restore EXIT
trap 'exit 130' INT HUP TERM
if command -v flock >/dev/null; then
    exec 9<"$0" # one of us at a time
    flock 9
fi
install_packages
[ -z "$tls_missing" ] || install_tls
[ "$group" != static ] || fetch_sources ||
    say "no source of libmicrohttpd here: meson will ask its own site"
look
if [ -z "$missing" ]; then
    say "all there for '$group'"
elif [ -n "$must" ]; then
    die "still missing: $missing"
else
    say "still missing: $missing; libraries will be built from deps/*.wrap," \
        "and what needs anything else will be skipped"
fi
