#!/usr/bin/env bash
# rclone with the defaults of an S3 remote that is not Amazon's. Endpoint and keys come from the
# environment. Prints a line for each check and a closing line; exits with 1 when
# one failed.
set -uo pipefail
# shellcheck source=tests/s3/sdk/checks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/checks.sh"

# The endpoint is plain HTTP, and this version fails where the variable is set.
unset AWS_CA_BUNDLE
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_X_TYPE=s3 RCLONE_CONFIG_X_PROVIDER=Other
export RCLONE_CONFIG_X_ENV_AUTH=true RCLONE_CONFIG_X_ENDPOINT=${AWS_ENDPOINT_URL_S3:?}
export RCLONE_CONFIG_X_REGION=us-east-1
bucket=${S3_BUCKET_PREFIX:?}-rclone

mkdir_bucket() {
  rclone mkdir "x:$bucket"
  shows " $bucket$" rclone lsd x:
}

copy_small() {
  printf hello >"$work/small"
  rclone copyto "$work/small" "x:$bucket/dir/a b+ü.txt"
  same hello "$(rclone cat "x:$bucket/dir/a b+ü.txt")"
}

copy_multipart() {
  head -c 20971520 /dev/urandom >"$work/big"
  rclone copyto --s3-upload-cutoff 5M --s3-chunk-size 5M "$work/big" "x:$bucket/big"
  rclone copyto "x:$bucket/big" "$work/back"
  cmp "$work/big" "$work/back"
}

server_side_copy() {
  rclone copyto "x:$bucket/big" "x:$bucket/big-copy"
  same 20971520 "$(rclone lsf --format s "x:$bucket/big-copy")"
}

sync_and_check() {
  mkdir -p "$work/tree/sub"
  for n in 1 2 3; do printf '%s' "$n" >"$work/tree/sub/$n"; done
  rclone sync "$work/tree" "x:$bucket/tree"
  rclone check "$work/tree" "x:$bucket/tree"
  rm "$work/tree/sub/2"
  rclone sync "$work/tree" "x:$bucket/tree"
  same '1 3' "$(rclone lsf "x:$bucket/tree/sub" | xargs)"
}

keeps_time() {
  touch -d '2020-02-03 04:05:06 UTC' "$work/small"
  rclone copyto "$work/small" "x:$bucket/dated"
  same '2020-02-03 04:05:06' "$(TZ=UTC rclone lsf --format t "x:$bucket/dated")"
}

link() {
  same hello "$(curl -sS --fail "$(rclone link --expire 1m "x:$bucket/dated")")"
}

purge() {
  rclone purge "x:$bucket"
  ! rclone lsf "x:$bucket" >/dev/null 2>&1
}

checks mkdir_bucket copy_small copy_multipart server_side_copy sync_and_check keeps_time link purge
