"""What a server does not do, it must say: 501, never a silent success."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from ..checksums import content_md5
from ..context import S3
from ..expect import Unexpected, true
from ..registry import Group

G = Group("unsupported")

RULE = "Error responses: NotImplemented (501), or the operation as documented"

ID = "<Id>one</Id>"
CONFIGURATIONS: dict[str, tuple[dict[str, str], str, str]] = {
    "website": (
        {"website": ""},
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>"
        "</WebsiteConfiguration>",
        "index.html",
    ),
    "accelerate": (
        {"accelerate": ""},
        "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
        "Enabled",
    ),
    "request_payment": (
        {"requestPayment": ""},
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        "Requester",
    ),
    "notification": (
        {"notification": ""},
        "<NotificationConfiguration><TopicConfiguration><Id>one</Id>"
        "<Topic>arn:aws:sns:us-east-1:123456789012:topic</Topic>"
        "<Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>",
        "arn:aws:sns:us-east-1:123456789012:topic",
    ),
    "metrics": (
        {"metrics": "", "id": "one"},
        f"<MetricsConfiguration>{ID}</MetricsConfiguration>",
        "one",
    ),
    "analytics": (
        {"analytics": "", "id": "one"},
        f"<AnalyticsConfiguration>{ID}<StorageClassAnalysis/></AnalyticsConfiguration>",
        "one",
    ),
    "inventory": (
        {"inventory": "", "id": "one"},
        f"<InventoryConfiguration>{ID}<IsEnabled>true</IsEnabled><Destination>"
        "<S3BucketDestination><Bucket>arn:aws:s3:::target</Bucket><Format>CSV</Format>"
        "</S3BucketDestination></Destination><Schedule><Frequency>Daily</Frequency></Schedule>"
        "<IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>",
        "one",
    ),
    "intelligent_tiering": (
        {"intelligent-tiering": "", "id": "one"},
        f"<IntelligentTieringConfiguration>{ID}<Status>Enabled</Status><Tiering>"
        "<AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering>"
        "</IntelligentTieringConfiguration>",
        "one",
    ),
}


@G.table(f"Put/GetBucket…; {RULE}", {f"put_{k}": v for k, v in CONFIGURATIONS.items()})
def configuration(s3: S3, query: dict[str, str], document: str, mark: str) -> None:
    """Kept and given back, or refused with 501; not taken and forgotten."""
    bucket, body = s3.bucket(), document.encode()
    headers = {"Content-MD5": content_md5(body)}
    answer = s3.req("PUT", bucket, query=query, headers=headers, body=body)
    if answer.status == 501:
        answer.error(501, "NotImplemented")
        return
    answer.ok()
    kept = s3.req("GET", bucket, query=query).ok()
    true(any(e.text == mark for e in kept.xml.iter()), f"`{mark}` in what GET gives")


@G.case("put_replication", f"PutBucketReplication; {RULE}")
def put_replication(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    body = (
        "<ReplicationConfiguration><Role>arn:aws:iam::123456789012:role/r</Role><Rule>"
        "<ID>one</ID><Priority>1</Priority><Status>Enabled</Status><Filter><Prefix/></Filter>"
        "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>"
        f"<Destination><Bucket>arn:aws:s3:::{bucket}</Bucket></Destination></Rule>"
        "</ReplicationConfiguration>"
    ).encode()
    headers = {"Content-MD5": content_md5(body)}
    answer = s3.req("PUT", bucket, query={"replication": ""}, headers=headers, body=body)
    # A copy of objects is promised; nothing but a refusal or the whole thing is honest.
    if answer.status == 200:
        kept = s3.req("GET", bucket, query={"replication": ""}).ok()
        true(kept.text("Rule/ID") == "one", "the rule in what GET gives")
    else:
        true(answer.status in (400, 501), f"200, 400 or 501, got {answer.status}")


@G.table(
    RULE,
    {
        "select": (
            "POST",
            {"select": "", "select-type": "2"},
            b"<SelectObjectContentRequest><Expression>select * from s3object</Expression>"
            b"<ExpressionType>SQL</ExpressionType><InputSerialization><JSON><Type>LINES</Type>"
            b"</JSON></InputSerialization><OutputSerialization><JSON/></OutputSerialization>"
            b"</SelectObjectContentRequest>",
        ),
        "torrent": ("GET", {"torrent": ""}, b""),
    },
)
def object_operation(s3: S3, method: str, query: dict[str, str], body: bytes) -> None:
    """The object itself as an answer would be a silent success."""
    bucket, data = s3.bucket(), b'{"a": 1}\n'
    s3.put(bucket, "k", data)
    answer = s3.req(method, bucket, "k", query, body=body)
    if answer.status == 200:
        true(answer.body not in (data, b""), "another answer than the object")
    else:
        true(answer.status in (400, 405, 501), f"a refusal, got {answer.status}")


@G.case("restore", f"RestoreObject; InvalidObjectState, {RULE}")
def restore(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", StorageClass="STANDARD")
    body = b"<RestoreRequest><Days>1</Days></RestoreRequest>"
    answer = s3.req("POST", bucket, "k", {"restore": ""}, body=body)
    got = (answer.status, answer.code if answer.status >= 300 else None)
    wanted = ((403, "InvalidObjectState"), (501, "NotImplemented"))
    true(got in wanted, f"one of {wanted}, got {got}")


@G.case("names_the_operation", "Error responses: NotImplemented; says what is not implemented")
def names_the_operation(s3: S3) -> None:
    """Only asked of a server that refuses something of the table above."""
    bucket = s3.bucket()
    for query, document, _ in CONFIGURATIONS.values():
        body = document.encode()
        headers = {"Content-MD5": content_md5(body)}
        answer = s3.req("PUT", bucket, query=query, headers=headers, body=body)
        if answer.status == 501:
            try:
                message = ET.fromstring(answer.body).findtext("Message")
            except ET.ParseError as error:
                raise Unexpected(f"expected XML with 501, got {answer.body[:80]!r}") from error
            true(message, "a Message")
