"""What a case works with: clients, buckets of its own, and their removal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from . import rawhttp, sigv4
from .admin import Admin
from .expect import Unexpected
from .rawhttp import Response

LOCK_S = 10
"""How long a retention lasts that nobody may lift, so that it can be cleaned."""


@dataclass(frozen=True)
class Endpoint:
    """Where the server is, and what is shared between cases."""

    url: str
    host_base: str
    signer: sigv4.Signer
    api: Any
    admin: Admin | None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def virtual_host(self) -> str:
        """The name below which each bucket has a host of its own."""
        return f"{self.host_base}:{self.address[1]}"


def connect(url: str, host_base: str, admin: str | None, keys: tuple[str, str]) -> Endpoint:
    """The SDK with its defaults, except that nothing is tried again: a retry
    hides an answer."""
    api = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(
            connect_timeout=5,
            read_timeout=rawhttp.TIMEOUT_S,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        ),
    )
    return Endpoint(url, host_base, sigv4.Signer(*keys), api, Admin(admin) if admin else None)


class S3:
    """Passed to each case."""

    def __init__(self, endpoint: Endpoint, deadline: float) -> None:
        self.endpoint = endpoint
        self.api = endpoint.api
        self.signer = endpoint.signer
        self.end = time.monotonic() + deadline
        self.buckets: list[str] = []

    @property
    def admin(self) -> Admin:
        if self.endpoint.admin is None:
            raise RuntimeError("a case without `admin=True` asked for the admin API")
        return self.endpoint.admin

    # Buckets

    def name(self, prefix: str = "conf") -> str:
        """A name that nobody has; the bucket is removed afterwards if made."""
        name = f"{prefix}-{uuid.uuid4().hex[:16]}"
        self.buckets.append(name)
        return name

    def bucket(self, *, versioned: bool = False, **options: Any) -> str:
        name = self.name()
        self.api.create_bucket(Bucket=name, **options)
        if versioned:
            self.set_versioning(name, "Enabled")
        return name

    def set_versioning(self, bucket: str, status: str) -> None:
        self.api.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def put(self, bucket: str, key: str, body: bytes = b"", **options: Any) -> dict:
        return self.api.put_object(Bucket=bucket, Key=key, Body=body, **options)

    def keys(self, bucket: str, *keys: str) -> str:
        """The bucket with an empty object under each of these keys."""
        for key in keys:
            self.req("PUT", bucket, key).ok()
        return bucket

    def read(self, bucket: str, key: str, **options: Any) -> bytes:
        return self.api.get_object(Bucket=bucket, Key=key, **options)["Body"].read()

    # Raw requests

    def path(self, bucket: str | None, key: str | None = None) -> str:
        path = "/" if bucket is None else f"/{sigv4.uri_encode(bucket)}"
        return path if key is None else f"{path}/{sigv4.uri_encode(key, '/')}"

    def req(
        self,
        method: str,
        bucket: str | None = None,
        key: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        signer: sigv4.Signer | None = None,
        anonymous: bool = False,
        payload: str | None = None,
        host: str | None = None,
        path: str | None = None,
        unsigned: tuple[str, ...] = (),
        change: Callable[[dict[str, str]], None] | None = None,
        length: bool = True,
    ) -> Response:
        """One signed request. `payload` replaces the hash of the body, headers
        in `unsigned` are sent but not signed, and `change` may alter the
        headers once they are signed."""
        signer = signer or self.signer
        path = path or self.path(bucket, key)
        query = query or {}
        sent = {"Host": host or self.endpoint.host, **(headers or {})}
        if not anonymous:
            at = signer.moment()
            signer = sigv4.Signer(signer.access_key, signer.secret_key, signer.region, at)
            sent.setdefault("x-amz-date", f"{at:%Y%m%dT%H%M%SZ}")
            payload = payload or sigv4.sha256(body)
            sent.setdefault("x-amz-content-sha256", payload)
            signed = {k: v for k, v in sent.items() if k.lower() not in unsigned}
            sent["Authorization"] = sigv4.authorization(
                signer, method, path, query, signed, payload
            )
        if length and (body or method in ("PUT", "POST")):
            sent.setdefault("Content-Length", str(len(body)))
        if change is not None:
            change(sent)
        return self.send(method, path, query, sent, body)

    def presigned(
        self,
        method: str,
        bucket: str,
        key: str,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        *,
        expires: int | str = 300,
        signer: sigv4.Signer | None = None,
        host: str | None = None,
        path: str | None = None,
    ) -> tuple[str, dict[str, str], dict[str, str]]:
        """Path, query and headers of a presigned request."""
        path = path or self.path(bucket, key)
        signed = {"Host": host or self.endpoint.host, **(headers or {})}
        signer = signer or self.signer
        whole = sigv4.presign(signer, method, path, query or {}, signed, expires)
        return path, whole, signed

    def send(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: bytes = b"",
    ) -> Response:
        """Sends what was signed before, or what is not signed at all."""
        if time.monotonic() > self.end:
            raise Unexpected("expected an end within the deadline, got none")
        target = path
        if query:
            target += "?" + sigv4.canonical_query(query)
        if body and not any(k.lower() == "transfer-encoding" for k in headers):
            headers = {"Content-Length": str(len(body)), **headers}
        return rawhttp.exchange(
            self.endpoint.address, method, target, list(headers.items()), body or None
        )

    # Removal

    def clean(self) -> None:
        """Removes what the case made; a case that cannot be cleaned says so."""
        for name in self.buckets:
            try:
                self._remove(name)
            except ClientError as error:
                if error.response["Error"].get("Code") not in ("NoSuchBucket", "404"):
                    raise

    def _remove(self, bucket: str) -> None:
        deadline = time.monotonic() + LOCK_S + 6
        while True:
            self._empty(bucket)
            try:
                self.api.delete_bucket(Bucket=bucket)
                return
            except ClientError as error:
                if error.response["Error"].get("Code") != "BucketNotEmpty":
                    raise
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _empty(self, bucket: str) -> None:
        listed = self.api.list_object_versions(Bucket=bucket)
        while True:
            versions = listed.get("Versions", []) + listed.get("DeleteMarkers", [])
            if versions:
                self._delete(bucket, versions)
            if not listed.get("IsTruncated"):
                break
            listed = self.api.list_object_versions(
                Bucket=bucket,
                KeyMarker=listed["NextKeyMarker"],
                VersionIdMarker=listed.get("NextVersionIdMarker", ""),
            )
        for upload in self.api.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            self.api.abort_multipart_upload(
                Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )

    def _delete(self, bucket: str, versions: list[dict]) -> None:
        for version in versions:
            query = {"versionId": version["VersionId"]}
            bypass = {"x-amz-bypass-governance-retention": "true"}
            answer = self.req("DELETE", bucket, version["Key"], query, bypass)
            if answer.status == 403:
                off = b"<LegalHold><Status>OFF</Status></LegalHold>"
                self.req("PUT", bucket, version["Key"], {**query, "legal-hold": ""}, body=off)
                self.req("DELETE", bucket, version["Key"], query, bypass)
