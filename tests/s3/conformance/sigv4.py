"""Signature version 4 by hand, so that cases can sign what no SDK would.

Source: S3 API reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def uri_encode(text: str | bytes, safe: str = "") -> str:
    return quote(text, safe=safe + "-_.~")


@dataclass(frozen=True)
class Signer:
    """Credentials, and the moment and region that requests are signed for."""

    access_key: str
    secret_key: str
    region: str = "us-east-1"
    at: datetime | None = None

    def moment(self) -> datetime:
        return self.at or datetime.now(UTC)

    def shifted(self, seconds: float) -> Signer:
        """The same, signing at another time than now."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        return Signer(self.access_key, self.secret_key, self.region, at)

    def scope(self, at: datetime) -> str:
        return f"{at:%Y%m%d}/{self.region}/s3/aws4_request"

    def key(self, at: datetime) -> bytes:
        key = b"AWS4" + self.secret_key.encode()
        for part in (f"{at:%Y%m%d}", self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def signature(self, at: datetime, text: str) -> str:
        return hmac.new(self.key(at), text.encode(), hashlib.sha256).hexdigest()

    def sign_canonical(self, at: datetime, canonical: str) -> str:
        stamp = f"{at:%Y%m%dT%H%M%SZ}"
        text = "\n".join(("AWS4-HMAC-SHA256", stamp, self.scope(at), sha256(canonical.encode())))
        return self.signature(at, text)


def canonical_query(query: dict[str, str]) -> str:
    pairs = sorted((uri_encode(k), uri_encode(v)) for k, v in query.items())
    return "&".join(f"{k}={v}" for k, v in pairs)


def canonical_request(
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    payload: str,
) -> tuple[str, str]:
    """The canonical request and the list of signed headers. `path` is encoded
    already, `headers` are those to sign."""
    folded = {k.lower(): " ".join(v.split()) for k, v in headers.items()}
    names = sorted(folded)
    lines = [method, path, canonical_query(query)]
    lines += [f"{name}:{folded[name]}" for name in names]
    lines += ["", ";".join(names), payload]
    return "\n".join(lines), ";".join(names)


def authorization(
    signer: Signer,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    payload: str,
) -> str:
    """The Authorization header; `headers` has `x-amz-date` already."""
    at = signer.moment()
    canonical, names = canonical_request(method, path, query, headers, payload)
    signature = signer.sign_canonical(at, canonical)
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.access_key}/{signer.scope(at)}, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def presign(
    signer: Signer,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    expires: int | str,
) -> dict[str, str]:
    """The whole query of a presigned request."""
    at = signer.moment()
    whole = dict(query)
    whole["X-Amz-Algorithm"] = "AWS4-HMAC-SHA256"
    whole["X-Amz-Credential"] = f"{signer.access_key}/{signer.scope(at)}"
    whole["X-Amz-Date"] = f"{at:%Y%m%dT%H%M%SZ}"
    whole["X-Amz-Expires"] = str(expires)
    whole["X-Amz-SignedHeaders"] = ";".join(sorted(h.lower() for h in headers))
    canonical, _ = canonical_request(method, path, whole, headers, UNSIGNED)
    whole["X-Amz-Signature"] = signer.sign_canonical(at, canonical)
    return whole


@dataclass(frozen=True)
class ChunkSigner:
    """Signs the chunks and the trailer of a body, each after the one before.

    Source: "Signature Calculations for the Authorization Header: Transferring
    Payload in Multiple Chunks".
    """

    signer: Signer
    at: datetime

    def _text(self, kind: str, previous: str, *rest: str) -> str:
        stamp = f"{self.at:%Y%m%dT%H%M%SZ}"
        return "\n".join((kind, stamp, self.signer.scope(self.at), previous, *rest))

    def chunk(self, previous: str, data: bytes) -> str:
        text = self._text("AWS4-HMAC-SHA256-PAYLOAD", previous, EMPTY_SHA256, sha256(data))
        return self.signer.signature(self.at, text)

    def trailer(self, previous: str, lines: bytes) -> str:
        text = self._text("AWS4-HMAC-SHA256-TRAILER", previous, sha256(lines))
        return self.signer.signature(self.at, text)
