# shellcheck shell=bash
# Shared by the scripts of this folder and of images/. Source it; it only
# defines functions and $SANDBOX_ROOT.

SANDBOX_ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# Everything that can be made again lives here.
sandbox_cache() {
  printf '%s\n' "${SANDBOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandbox}"
}

# stdout is for data, so all talk goes to stderr.
progress() {
  printf '%s\n' "$*" >&2
}

# die MESSAGE [HINT]
die() {
  printf 'error: %s\n' "$1" >&2
  if (($# > 1)); then
    printf 'hint: %s\n' "$2" >&2
  fi
  exit 1
}

# catalogue TABLE KEY: one value of catalogue.toml, such as
# `catalogue images.node reference`. Fails when there is none.
catalogue() {
  awk -v table="[$1]" -v key="$2" '
    /^\[/ { inside = ($0 == table); next }
    inside && $1 == key && $2 == "=" {
      sub(/^[^=]*= *"/, "")
      sub(/"[^"]*$/, "")
      print
      found = 1
      exit
    }
    END { exit !found }
  ' "$SANDBOX_ROOT/catalogue.toml"
}

# catalogue_list TABLE KEY: the strings of a list with one a line, such as
# `catalogue_list manifests.dapr files`.
catalogue_list() {
  awk -v table="[$1]" -v key="$2" '
    /^\[/ { inside = ($0 == table); next }
    inside && $1 == key && $2 == "=" { listed = 1; next }
    inside && listed && /^\]/ { exit }
    inside && listed && split($0, part, "\"") == 3 { print part[2] }
  ' "$SANDBOX_ROOT/catalogue.toml"
}

# catalogue_names PREFIX: the NAME of every [PREFIX.NAME] table.
catalogue_names() {
  sed -n "s/^\[$1\.\([^].]*\)\]\$/\1/p" "$SANDBOX_ROOT/catalogue.toml"
}

# wait_until SECONDS WHAT COMMAND…: runs COMMAND until it succeeds; fails,
# naming WHAT, at the deadline.
wait_until() {
  local deadline=$((SECONDS + $1)) limit=$1 what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      progress "error: waited $limit s in vain for $what"
      return 1
    fi
    sleep 0.2
  done
}

# version_in_range VERSION MINIMUM BELOW: MINIMUM <= VERSION < BELOW.
version_in_range() {
  local ordered
  ordered=$(printf '%s\n' "$2" "$1" | sort -V | head -n1)
  [[ $ordered == "$2" ]] || return 1
  ordered=$(printf '%s\n' "$1" "$3" | sort -V | head -n1)
  [[ $1 != "$3" && $ordered == "$1" ]]
}

# debian_sources SUITE FILE: a sources list of Debian's main archive for SUITE,
# taken from wherever this machine gets its own packages.
debian_sources() {
  local uri
  uri=$(debian_mirror) || return 1
  printf 'deb [signed-by=%s] %s %s main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg "$uri" "$1" >"$2"
}

# debian_mirror: the address of Debian's main archive in this machine's own
# apt sources, of either format.
debian_mirror() {
  local uris
  uris=$(
    shopt -s nullglob
    cat /dev/null /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list \
      /etc/apt/sources.list 2>/dev/null |
      sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p'
  ) || true
  grep -m1 '/debian/*$' <<<"$uris"
}

# with_lock NAME COMMAND…: one at a time, whoever calls.
with_lock() {
  local name=$1 lock
  shift
  mkdir -p "$(sandbox_cache)"
  lock=$(sandbox_cache)/$name.lock
  exec {lock_fd}>"$lock"
  if ! flock -n "$lock_fd"; then
    progress "waiting for another $name run ($lock)"
    flock -w 3600 "$lock_fd" || die "waited an hour in vain for $lock"
  fi
  "$@"
}

# install_debian_package NAME [PROGRAM]: the package that has a program, which is
# called as the package unless it is named.
install_debian_package() {
  command -v "${2:-$1}" >/dev/null && return
  [[ -f /etc/debian_version && $EUID -eq 0 ]] || die "${2:-$1} is not on PATH" "install $1"
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

# require_go VERSION: for what is built or fetched with Go.
require_go() {
  local have
  have=$(go env GOVERSION 2>/dev/null) || have=go0
  if ! version_in_range "${have#go}" "$1" 2; then
    die "Go $1 or newer is needed to build from packages, found ${have/go0/none}" \
      "apt-get install golang-go, or unpack an archive of https://go.dev/dl into /usr/local and add /usr/local/go/bin to PATH"
  fi
}

# same_release VERSION TAG PARTS: whether what a distribution has is of the
# release that a tag says; a newer fix of it is good, and worth a word.
same_release() {
  local found wanted
  found=$(cut -d. -f"1-$3" <<<"$1")
  wanted=$(cut -d. -f"1-$3" <<<"$2")
  if [[ $found != "$wanted" ]]; then
    die "the packages have $1, the catalogue says $2"
  fi
  if [[ $1 != "$2" ]]; then
    progress "the packages have $1; the catalogue's tag says $2"
  fi
}
