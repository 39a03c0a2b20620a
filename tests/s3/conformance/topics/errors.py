"""How errors are written, and what no resource answers to."""

from __future__ import annotations

import http.client

from ..checksums import content_md5
from ..context import S3
from ..expect import Unexpected, equal, matches, one_of, true
from ..registry import Group
from ..sigv4 import Signer

G = Group("errors")

SECTION = "Error responses: REST error responses"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@G.case("document", SECTION)
def document(s3: S3) -> None:
    bucket = s3.bucket()
    answer = s3.req("GET", bucket, "missing").error(404, "NoSuchKey")
    equal(answer.xml.tag, "Error", "document")
    for element in ("Message", "RequestId", "HostId"):
        true(answer.text(element), f"a {element}")
    equal(answer.body.count(b"xmlns"), 0, "namespaces of an Error")
    matches(answer.body.decode(), r"^<\?xml version=.1\.0.", "XML declaration")


@G.case("refused_while_sending", "Error responses: SignatureDoesNotMatch; read to its end")
def refused_while_sending(s3: S3) -> None:
    signer = Signer(s3.signer.access_key, "not-the-secret")
    answer = s3.req("PUT", s3.bucket(), "k", body=bytes(8 << 20), signer=signer)
    answer.error(403, "SignatureDoesNotMatch")


@G.case("content_type", f"{SECTION}: Content-Type application/xml")
def content_type(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), "missing").ok(404)
    matches(answer["content-type"], "^application/xml", "Content-Type")


@G.case("request_id_is_that_of_the_header", "Common response headers: x-amz-request-id, x-amz-id-2")
def request_id(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), "missing").ok(404)
    true(answer["x-amz-request-id"], "an x-amz-request-id")
    equal(answer.text("RequestId"), answer["x-amz-request-id"], "RequestId")
    equal(answer.text("HostId"), answer["x-amz-id-2"], "HostId")


@G.case("request_id_of_success", "Common response headers: x-amz-request-id, x-amz-id-2")
def request_id_of_success(s3: S3) -> None:
    bucket = s3.bucket()
    first, second = s3.req("HEAD", bucket).ok(), s3.req("HEAD", bucket).ok()
    true(first["x-amz-request-id"] and first["x-amz-id-2"], "both headers")
    true(first["x-amz-request-id"] != second["x-amz-request-id"], "another id each time")


@G.case("date_and_server", "Common response headers: Date, Server")
def date_and_server(s3: S3) -> None:
    answer = s3.req("HEAD", s3.bucket()).ok()
    matches(answer["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$", "Date")


@G.case("bucket_is_named", f"{SECTION}: NoSuchBucket has BucketName")
def bucket_is_named(s3: S3) -> None:
    name = s3.name()
    equal(s3.req("GET", name).error(404, "NoSuchBucket").text("BucketName"), name, "BucketName")


@G.case("key_is_escaped", f"{SECTION}: NoSuchKey has Key")
def key_is_escaped(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), "<a>&b").error(404, "NoSuchKey")
    equal(answer.text("Key"), "<a>&b", "Key")


@G.table(
    "Common XML namespace of the documents of S3",
    {
        "namespace_of_listing": (None, {"list-type": "2"}, "ListBucketResult"),
        "namespace_of_versions": (None, {"versions": ""}, "ListVersionsResult"),
        "namespace_of_versioning": (None, {"versioning": ""}, "VersioningConfiguration"),
        "namespace_of_location": (None, {"location": ""}, "LocationConstraint"),
        "namespace_of_uploads": (None, {"uploads": ""}, "ListMultipartUploadsResult"),
    },
)
def namespace(s3: S3, key: str | None, query: dict[str, str], name: str) -> None:
    answer = s3.req("GET", s3.bucket(), key, query).ok()
    matches(answer.body.decode(), f'<{name} [^>]*xmlns="{NAMESPACE}"', "root element")
    matches(answer["content-type"], "^application/xml", "Content-Type")


@G.table(
    f"{SECTION}: MethodNotAllowed",
    {
        "delete_service": ("DELETE", False, None),
        "post_object_without_query": ("POST", True, "k"),
        "patch_object": ("PATCH", True, "k"),
    },
)
def method_not_allowed(s3: S3, method: str, in_bucket: bool, key: str | None) -> None:
    bucket = s3.keys(s3.bucket(), "k") if in_bucket else None
    s3.req(method, bucket, key).error(405, "MethodNotAllowed")


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]>"
)


@G.table(
    f"{SECTION}: MalformedXML",
    {
        "xml_entities": (ENTITIES + b"<Tagging><TagSet>&j;</TagSet></Tagging>",),
        "xml_external_entity": (
            b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
            b"<Tagging><TagSet><Tag><Key>a</Key><Value>&a;</Value></Tag></TagSet></Tagging>",
        ),
        "xml_nested_deeply": (b"<Tagging>" + b"<a>" * 20_000,),
        "xml_not_utf8": (b"<Tagging>\xff\xfe</Tagging>",),
        "xml_empty": (b"",),
    },
)
def hostile_xml(s3: S3, body: bytes) -> None:
    bucket = s3.bucket()
    headers = {"Content-MD5": content_md5(body)}
    answer = s3.req("PUT", bucket, query={"tagging": ""}, headers=headers, body=body).ok(400)
    one_of(answer.code, ("MalformedXML", "MissingRequestBodyError", "InvalidRequest"), "code")
    s3.req("GET", bucket, query={"tagging": ""}).error(404, "NoSuchTagSet")


@G.case("expect_continue", "PutObject: Expect: 100-continue")
def expect_continue(s3: S3) -> None:
    bucket = s3.bucket()
    lines, final, _ = _expecting(s3, bucket, b"data")
    matches(lines[0], r"^HTTP/1\.1 100 ", "first answer")
    equal(final, 200, "final status")
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("expect_continue_refused", "PutObject: a refused message's body is not asked for")
def expect_continue_refused(s3: S3) -> None:
    lines, final, sent = _expecting(s3, s3.name(), b"data")
    equal((final, sent), (404, False), f"final status and whether the body was asked for: {lines}")


def _expecting(s3: S3, bucket: str, body: bytes) -> tuple[list[str], int, bool]:
    """The status lines, the final status, and whether the body was sent."""
    seen: dict[str, str] = {}
    prepared = {"Expect": "100-continue"}

    def keep(headers: dict[str, str]) -> None:
        seen.update(headers)
        raise _Prepared

    try:
        s3.req("PUT", bucket, "k", headers=prepared, body=body, change=keep)
    except _Prepared:
        pass
    connection = http.client.HTTPConnection(*s3.endpoint.address, timeout=10)
    try:
        path = s3.path(bucket, "k")
        connection.putrequest("PUT", path, skip_host=True, skip_accept_encoding=True)
        for name, value in seen.items():
            connection.putheader(name, value)
        connection.endheaders()
        reader = connection.sock.makefile("rb")
        lines, sent = [], False
        while True:
            line = reader.readline().decode("latin-1").strip()
            if not line:
                raise Unexpected("expected an answer to `Expect`, got none")
            lines.append(line)
            while reader.readline().strip():
                pass
            status = int(line.split()[1])
            if status != 100:
                return lines, status, sent
            connection.sock.sendall(body)
            sent = True
    except OSError as error:
        raise Unexpected(f"expected an answer to `Expect`, got {error!r}") from error
    finally:
        connection.close()


class _Prepared(Exception):
    """The headers are signed; they are to be sent in another way."""


@G.case("body_cut_off", f"{SECTION}: IncompleteBody; nothing is stored")
def body_cut_off(s3: S3) -> None:
    bucket = s3.bucket()
    seen: dict[str, str] = {}

    def keep(headers: dict[str, str]) -> None:
        seen.update(headers)
        raise _Prepared

    try:
        s3.req("PUT", bucket, "k", body=b"x" * 1000, change=keep)
    except _Prepared:
        pass
    connection = http.client.HTTPConnection(*s3.endpoint.address, timeout=10)
    connection.putrequest("PUT", s3.path(bucket, "k"), skip_host=True, skip_accept_encoding=True)
    for name, value in seen.items():
        connection.putheader(name, value)
    connection.endheaders(b"x" * 500)
    connection.close()
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("unknown_query_is_ignored", "Request query parameters that S3 does not know")
def unknown_query(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", {"x-unknown": "1"}, body=b"data").ok()
    equal(s3.req("GET", bucket, "k", {"x-unknown": "1"}).ok().body, b"data", "body")


@G.case("same_connection_after_error", "RFC 9112 section 9.3: connections persist")
def same_connection(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    prepared: list[tuple[str, dict[str, str]]] = []
    for key in ("missing", "k", "missing", "k"):
        seen: dict[str, str] = {}

        def keep(headers: dict[str, str], seen: dict[str, str] = seen) -> None:
            seen.update(headers)
            raise _Prepared

        try:
            s3.req("GET", bucket, key, change=keep)
        except _Prepared:
            prepared.append((s3.path(bucket, key), seen))
    connection = http.client.HTTPConnection(*s3.endpoint.address, timeout=10)
    statuses, sockets = [], []
    for path, headers in prepared:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        if connection.sock not in sockets:
            sockets.append(connection.sock)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    equal((statuses, len(sockets)), ([404, 200, 404, 200], 1), "statuses, connections")
