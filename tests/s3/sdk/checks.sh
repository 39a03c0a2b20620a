# shellcheck shell=bash
# Shared by the shell scripts of this folder. Source it; $work is theirs.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# same WANT GOT
same() {
  [[ $1 == "$2" ]] || {
    printf 'expected "%s", got "%s"\n' "$1" "$2"
    return 1
  }
}

# refused WORD COMMAND…: it must fail and say WORD.
refused() {
  local word=$1 said
  shift
  if said=$("$@" 2>&1); then
    printf 'expected %s, got success\n' "$word"
    return 1
  fi
  [[ $said == *"$word"* ]] || {
    printf 'expected %s, got "%s"\n' "$word" "$said"
    return 1
  }
}

# shows PATTERN COMMAND…: a line of what it prints must match.
shows() {
  local pattern=$1 said
  shift
  said=$("$@")
  grep -qE -- "$pattern" <<<"$said" || {
    printf 'expected a line like "%s", got "%s"\n' "$pattern" "$said"
    return 1
  }
}

# checks NAME…: runs the functions of these names, a line each, and the closing
# line. $skipped of them were left out before.
checks() {
  local name said passed=0 failed=0
  for name in "$@"; do
    # In a shell of its own, where `set -e` holds: it does not in a condition.
    said=$(
      set -e
      "$name" 2>&1
    )
    # shellcheck disable=SC2181
    if (($? == 0)); then
      printf 'ok %s\n' "$name"
      passed=$((passed + 1))
    else
      printf 'FAIL %s: %s\n' "$name" "$(tail -n3 <<<"$said" | tr '\n' ' ')"
      failed=$((failed + 1))
    fi
  done
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "${skipped:-0}"
  ((failed == 0))
}
