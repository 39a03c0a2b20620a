"""Receipts in S3. The only module that knows keys of objects."""

import re
from contextlib import contextmanager

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orders.errors import Unavailable
from orders.settings import SettingsError

_PREFIX, _SUFFIX = "orders/", ".txt"
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')


class Receipts:
    def __init__(self, settings):
        if not settings.s3_bucket:
            raise SettingsError("S3_BUCKET is not set")
        self._bucket = settings.s3_bucket
        self._url_seconds = settings.url_seconds
        # Endpoint, region and keys come from AWS_ variables; on EKS, the keys from a role.
        config = Config(
            # Without it, URLs are signed in a way that newer buckets refuse.
            signature_version="s3v4",
            connect_timeout=1,
            read_timeout=2,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
        try:
            self._s3 = boto3.client("s3", config=config)
        except ValueError:
            raise SettingsError("AWS_ENDPOINT_URL_S3 is not a URL") from None

    def ping(self):
        with _failures():
            self._s3.head_bucket(Bucket=self._bucket)

    def store(self, name, text):
        with _failures():
            self._s3.put_object(
                Bucket=self._bucket,
                Key=_key(name),
                Body=text,
                ContentType="text/plain; charset=utf-8",
            )

    def listed(self, after, limit):
        """At most this many after a name, as S3 has them, and whether there are more."""
        with _failures():
            found = self._s3.list_objects_v2(
                Bucket=self._bucket,
                Prefix=_PREFIX,
                MaxKeys=limit,
                **({"StartAfter": _key(after)} if after else {}),
            )
        return {
            "receipts": [
                _shown(item["Key"], item["Size"], item["LastModified"]) for item in found.get("Contents", [])
            ],
            "more": found["IsTruncated"],
        }

    def receipt(self, name):
        """What is known about one, with a URL to download it; none when there is no such."""
        with _failures():
            try:
                head = self._s3.head_object(Bucket=self._bucket, Key=_key(name))
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                    return None
                raise
            url = self._s3.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": _key(name)},
                ExpiresIn=self._url_seconds,
            )
        # By the rules of the bucket, if one applies.
        expiry = _EXPIRY.search(head.get("Expiration", ""))
        return _shown(_key(name), head["ContentLength"], head["LastModified"]) | {
            "expires": expiry and expiry[1],
            "url": url,
            "urlSeconds": self._url_seconds,
        }

    def forget(self, name):
        """Of a bucket with versions it hides the receipt, until a rule removes it."""
        with _failures():
            self._s3.delete_object(Bucket=self._bucket, Key=_key(name))

    def bucket(self):
        with _failures():
            versioning = self._s3.get_bucket_versioning(Bucket=self._bucket)
            rules = self._rules()
        return {
            "bucket": self._bucket,
            "versioning": versioning.get("Status"),
            "lifecycle": [
                {
                    "id": rule.get("ID"),
                    "status": rule["Status"],
                    "days": rule.get("Expiration", {}).get("Days"),
                }
                for rule in rules
            ],
        }

    def _rules(self):
        try:
            return self._s3.get_bucket_lifecycle_configuration(Bucket=self._bucket)["Rules"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
                return []
            raise


def _key(name):
    return f"{_PREFIX}{name}{_SUFFIX}"


def _shown(key, size, stored):
    return {
        "name": key.removeprefix(_PREFIX).removesuffix(_SUFFIX),
        "key": key,
        "bytes": size,
        "stored": stored.isoformat(),
    }


@contextmanager
def _failures():
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("s3", error) from error
