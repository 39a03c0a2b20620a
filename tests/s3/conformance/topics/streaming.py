"""Bodies in signed and unsigned chunks, with and without a trailer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..checksums import ALGORITHMS, encoded, header
from ..context import S3
from ..expect import equal, true
from ..rawhttp import Response
from ..registry import Group
from ..sigv4 import ChunkSigner, authorization

G = Group("streaming")

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

CHUNKS = "Signature Calculations: Transferring Payload in Multiple Chunks (Chunked Upload)"
TRAILERS = "Signature Calculations: Including Trailing Headers (Chunked Upload)"

BIG = bytes(range(256)) * 256


def put(
    s3: S3,
    bucket: str,
    kind: str,
    chunks: list[bytes],
    *,
    trailer: dict[str, str] | None = None,
    declared: str | None = None,
    length: int | None = None,
    headers: dict[str, str] | None = None,
    spoil: Callable[[bytes], bytes] = lambda body: body,
    omit: tuple[str, ...] = (),
) -> Response:
    """PUT of `k` in these chunks. `spoil` changes the body once it is signed."""
    at = s3.signer.moment()
    signer = replace(s3.signer, at=at)
    sent = {
        "Host": s3.endpoint.host,
        "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": str(sum(map(len, chunks)) if length is None else length),
        "Content-Encoding": "aws-chunked",
        **(headers or {}),
    }
    if declared or trailer:
        sent["x-amz-trailer"] = declared or ",".join(trailer or {})
    for name in omit:
        del sent[name]
    path = s3.path(bucket, "k")
    auth = authorization(signer, "PUT", path, {}, sent, kind)
    seed = auth.rpartition("Signature=")[2]
    body = spoil(_body(ChunkSigner(signer, at), seed, kind, chunks, trailer))
    sent |= {"Authorization": auth, "Content-Length": str(len(body))}
    return s3.send("PUT", path, {}, sent, body)


def _body(
    signer: ChunkSigner, previous: str, kind: str, chunks: list[bytes], trailer: dict | None
) -> bytes:
    signed = kind != UNSIGNED_TRAILER
    body = b""
    for chunk in [*chunks, b""]:
        head = f"{len(chunk):x}"
        if signed:
            previous = signer.chunk(previous, chunk)
            head += f";chunk-signature={previous}"
        body += head.encode() + b"\r\n" + chunk
        if chunk:
            body += b"\r\n"
    if kind == SIGNED:
        return body + b"\r\n"
    lines = "".join(f"{name}:{value}\n" for name, value in (trailer or {}).items())
    body += lines.replace("\n", "\r\n").encode()
    if signed:
        body += f"x-amz-trailer-signature:{signer.trailer(previous, lines.encode())}\r\n".encode()
    return body + b"\r\n"


def stored(s3: S3, bucket: str, data: bytes) -> None:
    true(s3.req("GET", bucket, "k").ok().body == data, "the decoded bytes")


@G.table(
    CHUNKS,
    {
        "signed_one_chunk": ([b"data"],),
        "signed_three_chunks": ([BIG, BIG, b"end"],),
        "signed_empty": ([],),
    },
)
def signed(s3: S3, chunks: list[bytes]) -> None:
    bucket = s3.bucket()
    put(s3, bucket, SIGNED, chunks).ok()
    stored(s3, bucket, b"".join(chunks))


@G.table(
    TRAILERS,
    {f"signed_trailer_{a.lower()}": (SIGNED_TRAILER, a) for a in ALGORITHMS}
    | {f"unsigned_trailer_{a.lower()}": (UNSIGNED_TRAILER, a) for a in ALGORITHMS},
)
def with_trailer(s3: S3, kind: str, algorithm: str) -> None:
    bucket, data = s3.bucket(), BIG + b"end"
    trailer = {header(algorithm): encoded(algorithm, data)}
    answer = put(s3, bucket, kind, [BIG, b"end"], trailer=trailer).ok()
    equal(answer[header(algorithm)], encoded(algorithm, data), header(algorithm))
    stored(s3, bucket, data)


@G.table(
    TRAILERS,
    {"signed_trailer_empty": (SIGNED_TRAILER,), "unsigned_trailer_empty": (UNSIGNED_TRAILER,)},
)
def empty_with_trailer(s3: S3, kind: str) -> None:
    bucket = s3.bucket()
    put(s3, bucket, kind, [], trailer={header("CRC32"): encoded("CRC32", b"")}).ok()
    stored(s3, bucket, b"")


@G.table(
    f"{TRAILERS}; Error responses: BadDigest",
    {
        "signed_trailer_wrong_checksum": (SIGNED_TRAILER,),
        "unsigned_trailer_wrong_checksum": (UNSIGNED_TRAILER,),
    },
)
def wrong_checksum(s3: S3, kind: str) -> None:
    bucket = s3.bucket()
    trailer = {header("CRC32"): encoded("CRC32", b"other")}
    put(s3, bucket, kind, [b"data"], trailer=trailer).error(400, "BadDigest")
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    f"{TRAILERS}; Error responses: MalformedTrailerError",
    {
        "unsigned_trailer_missing": ({}, header("CRC32")),
        "unsigned_trailer_other_name": (
            {header("SHA256"): encoded("SHA256", b"data")},
            header("CRC32"),
        ),
    },
)
def malformed_trailer(s3: S3, trailer: dict[str, str], declared: str) -> None:
    bucket = s3.bucket()
    answer = put(s3, bucket, UNSIGNED_TRAILER, [b"data"], trailer=trailer, declared=declared)
    answer.error(400, "MalformedTrailerError")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("signed_chunk_tampered", f"{CHUNKS}; SignatureDoesNotMatch")
def chunk_tampered(s3: S3) -> None:
    bucket = s3.bucket()
    answer = put(s3, bucket, SIGNED, [b"data"], spoil=lambda b: b.replace(b"data", b"atad"))
    answer.error(403, "SignatureDoesNotMatch")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("signed_trailer_tampered", f"{TRAILERS}; SignatureDoesNotMatch")
def trailer_tampered(s3: S3) -> None:
    bucket = s3.bucket()
    good, bad = encoded("CRC32", b"data").encode(), encoded("CRC32", b"atad").encode()
    trailer = {header("CRC32"): good.decode()}
    answer = put(
        s3, bucket, SIGNED_TRAILER, [b"data"], trailer=trailer, spoil=lambda b: b.replace(good, bad)
    )
    # Either check may come first.
    got = (answer.status, answer.code)
    true(got in ((403, "SignatureDoesNotMatch"), (400, "BadDigest")), f"a refusal, got {got}")
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    f"{CHUNKS}: x-amz-decoded-content-length; IncompleteBody",
    {"decoded_length_too_long": (SIGNED, 5), "unsigned_length_too_long": (UNSIGNED_TRAILER, 5)},
)
def wrong_length(s3: S3, kind: str, length: int) -> None:
    bucket = s3.bucket()
    trailer = None if kind == SIGNED else {header("CRC32"): encoded("CRC32", b"data")}
    answer = put(s3, bucket, kind, [b"data"], length=length, trailer=trailer)
    answer.error(400, "IncompleteBody")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("decoded_length_missing", f"{CHUNKS}: x-amz-decoded-content-length; MissingContentLength")
def length_missing(s3: S3) -> None:
    bucket = s3.bucket()
    answer = put(s3, bucket, SIGNED, [b"data"], omit=("x-amz-decoded-content-length",))
    answer.error(411, "MissingContentLength")


@G.case("chunk_too_small", "Error responses: InvalidChunkSizeError, less than 8192 bytes")
def chunk_too_small(s3: S3) -> None:
    bucket = s3.bucket()
    put(s3, bucket, SIGNED, [b"small", b"end"]).error(400, "InvalidChunkSizeError")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("chunk_size_no_number", f"{CHUNKS}: IncompleteBody or InvalidRequest")
def chunk_size_no_number(s3: S3) -> None:
    bucket = s3.bucket()
    answer = put(s3, bucket, SIGNED, [b"data"], spoil=lambda b: b"zz" + b[1:])
    equal(answer.status in (400, 403), True, f"a refusal, status {answer.status}")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("body_cut", f"{CHUNKS}: the final empty chunk; IncompleteBody")
def body_cut(s3: S3) -> None:
    bucket = s3.bucket()
    answer = put(s3, bucket, SIGNED, [BIG], spoil=lambda b: b[: len(BIG)])
    equal(answer.status in (400, 403), True, f"a refusal, status {answer.status}")
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    f"{CHUNKS}: aws-chunked is not stored as a Content-Encoding",
    {
        "encoding_not_stored": ("aws-chunked", (None, "")),
        "other_encoding_stored": ("aws-chunked,gzip", ("gzip",)),
    },
)
def content_encoding(s3: S3, value: str, wanted: tuple) -> None:
    bucket = s3.bucket()
    put(s3, bucket, SIGNED, [b"data"], headers={"Content-Encoding": value}).ok()
    got = s3.req("HEAD", bucket, "k").ok()["content-encoding"]
    true(got in wanted, f"Content-Encoding one of {wanted}, got {got!r}")


@G.case("length_is_decoded", f"{CHUNKS}: the object has the decoded length")
def length_is_decoded(s3: S3) -> None:
    bucket = s3.bucket()
    put(s3, bucket, SIGNED, [BIG]).ok()
    equal(s3.req("HEAD", bucket, "k").ok()["content-length"], str(len(BIG)), "Content-Length")


@G.case("transfer_encoding_chunked", "RFC 9112 section 7.1, around a body of known length")
def transfer_encoding(s3: S3) -> None:
    bucket, data = s3.bucket(), b"d" * 100
    at = s3.signer.moment()
    signer = replace(s3.signer, at=at)
    sent = {
        "Host": s3.endpoint.host,
        "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
        "x-amz-content-sha256": UNSIGNED_TRAILER,
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": header("CRC32"),
        "Content-Encoding": "aws-chunked",
    }
    path = s3.path(bucket, "k")
    auth = authorization(signer, "PUT", path, {}, sent, UNSIGNED_TRAILER)
    trailer = {header("CRC32"): encoded("CRC32", data)}
    inner = _body(ChunkSigner(signer, at), "", UNSIGNED_TRAILER, [data], trailer)
    outer = f"{len(inner):x}\r\n".encode() + inner + b"\r\n0\r\n\r\n"
    sent |= {"Authorization": auth, "Transfer-Encoding": "chunked"}
    s3.send("PUT", path, {}, sent, outer).ok()
    stored(s3, bucket, data)
