#!/usr/bin/env bash
# The AWS command line with its defaults; $AWS is the program. Endpoint, keys and
# region come from the environment. Prints a line for each check and a closing
# line; exits with 1 when one failed.
set -uo pipefail
# shellcheck source=tests/s3/sdk/checks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/checks.sh"

aws=${AWS:-aws}
bucket=${S3_BUCKET_PREFIX:?}-${CLIENT:-cli}
# No pager, no user's own profile.
export AWS_PAGER='' AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null

mb() {
  "$aws" s3 mb "s3://$bucket"
  shows " $bucket$" "$aws" s3 ls
}

cp_small() {
  printf 'hello' >"$work/small"
  "$aws" s3 cp "$work/small" "s3://$bucket/dir/a b+ü.txt"
  same hello "$("$aws" s3 cp "s3://$bucket/dir/a b+ü.txt" -)"
}

cp_multipart() {
  head -c 20971520 /dev/urandom >"$work/big"
  "$aws" s3 cp --only-show-errors "$work/big" "s3://$bucket/big"
  "$aws" s3 cp --only-show-errors "s3://$bucket/big" "$work/back"
  cmp "$work/big" "$work/back"
  shows '-3\\""' "$aws" s3api head-object --bucket "$bucket" --key big
}

cp_within() {
  "$aws" s3 cp --only-show-errors "s3://$bucket/big" "s3://$bucket/big-copy"
  shows ' 20971520 big-copy$' "$aws" s3 ls "s3://$bucket/big-copy"
}

sync_up() {
  mkdir -p "$work/tree/sub"
  for n in 1 2 3; do printf '%s' "$n" >"$work/tree/sub/$n"; done
  printf top >"$work/tree/top"
  "$aws" s3 sync --only-show-errors "$work/tree" "s3://$bucket/tree"
  same 4 "$("$aws" s3 ls --recursive "s3://$bucket/tree/" | wc -l)"
  # Nothing has changed, so nothing is sent.
  same '' "$("$aws" s3 sync "$work/tree" "s3://$bucket/tree")"
}

sync_down_delete() {
  "$aws" s3 rm --only-show-errors "s3://$bucket/tree/sub/2"
  "$aws" s3 sync --only-show-errors --delete "s3://$bucket/tree" "$work/tree"
  same '1 3' "$(cd "$work/tree/sub" && echo *)"
}

ls_prefixes() {
  same 'PRE dir/' "$("$aws" s3 ls "s3://$bucket/" | grep -o 'PRE dir/')"
}

presign() {
  local url
  url=$("$aws" s3 presign "s3://$bucket/dir/a b+ü.txt" --expires-in 60)
  same hello "$(curl -sS --fail "$url")"
  same 403 "$(curl -sS -o /dev/null -w '%{http_code}' "${url/dir/other}")"
}

mv_object() {
  "$aws" s3 mv --only-show-errors "s3://$bucket/big-copy" "s3://$bucket/moved"
  same '' "$("$aws" s3 ls "s3://$bucket/big-copy" || true)"
}

tagging() {
  "$aws" s3api put-object-tagging --bucket "$bucket" --key moved \
    --tagging 'TagSet=[{Key=a,Value=1}]'
  same 1 "$("$aws" s3api get-object-tagging --bucket "$bucket" --key moved \
    --query 'TagSet[0].Value' --output text)"
}

conditional_put() {
  "$aws" s3api put-object --bucket "$bucket" --key once --if-none-match '*' >/dev/null
  refused PreconditionFailed \
    "$aws" s3api put-object --bucket "$bucket" --key once --if-none-match '*'
}

list_pages() {
  same 3 "$("$aws" s3api list-objects-v2 --bucket "$bucket" --prefix tree/ --page-size 1 \
    --query 'Contents[].Key' --output text | wc -w)"
}

error_names() {
  refused NoSuchKey "$aws" s3api get-object --bucket "$bucket" --key missing "$work/none"
  refused NoSuchBucket "$aws" s3 ls "s3://$bucket-missing"
}

rb_force() {
  "$aws" s3 rb --force "s3://$bucket" >/dev/null
  refused 404 "$aws" s3api head-bucket --bucket "$bucket"
}

chosen=(mb cp_small cp_multipart cp_within sync_up sync_down_delete ls_prefixes presign mv_object
  tagging list_pages error_names)
# The version that Debian has is older than conditional writes.
if [[ $("$aws" s3api put-object --generate-cli-skeleton input) == *IfNoneMatch* ]]; then
  chosen+=(conditional_put)
else
  printf 'skip conditional_put: this version has no --if-none-match\n'
  skipped=1
fi
checks "${chosen[@]}" rb_force
