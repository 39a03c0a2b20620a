"""Making, finding, listing and removing buckets."""

from __future__ import annotations

from ..context import S3
from ..expect import equal, matches, one_of, refused, true
from ..registry import Group

G = Group("buckets")

ELSEWHERE = {"LocationConstraint": "eu-west-1"}


@G.case("create_answers_location", "CreateBucket, Response Syntax: Location")
def create_answers_location(s3: S3) -> None:
    name = s3.name()
    equal(s3.req("PUT", name).ok()["location"], f"/{name}", "Location")


@G.case("create_again_in_us_east_1", "CreateBucket: BucketAlreadyOwnedByYou, us-east-1 answers 200")
def create_again_in_us_east_1(s3: S3) -> None:
    s3.req("PUT", s3.bucket()).ok()


@G.case("create_again_elsewhere", "CreateBucket: BucketAlreadyOwnedByYou")
def create_again_elsewhere(s3: S3) -> None:
    name = s3.bucket(CreateBucketConfiguration=ELSEWHERE)
    refused(
        409,
        "BucketAlreadyOwnedByYou",
        s3.api.create_bucket,
        Bucket=name,
        CreateBucketConfiguration=ELSEWHERE,
    )


@G.case("create_again_keeps_objects", "CreateBucket: us-east-1 only resets the ACL")
def create_again_keeps_objects(s3: S3) -> None:
    name = s3.keys(s3.bucket(), "kept")
    s3.req("PUT", name).ok()
    s3.req("HEAD", name, "kept").ok()


@G.case("create_malformed_xml", "CreateBucket, Request Body; Error responses: MalformedXML")
def create_malformed_xml(s3: S3) -> None:
    s3.req("PUT", s3.name(), body=b"<CreateBucketConfiguration><Loc").error(400, "MalformedXML")


@G.table(
    "CreateBucket: LocationConstraint, Valid Values; Error responses: InvalidLocationConstraint",
    {"location_unknown": ("mars-north-1",), "location_us_east_1": ("us-east-1",)},
)
def location_constraint_refused(s3: S3, region: str) -> None:
    body = (
        f"<CreateBucketConfiguration><LocationConstraint>{region}"
        "</LocationConstraint></CreateBucketConfiguration>"
    )
    s3.req("PUT", s3.name(), body=body.encode()).error(400, "InvalidLocationConstraint")


@G.case("location_of_us_east_1_is_null", "GetBucketLocation, Response Elements")
def location_of_us_east_1(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), query={"location": ""}).ok()
    equal((answer.xml.tag, answer.xml.text), ("LocationConstraint", None), "document")


@G.case("location_elsewhere", "GetBucketLocation, Response Elements")
def location_elsewhere(s3: S3) -> None:
    name = s3.bucket(CreateBucketConfiguration=ELSEWHERE)
    got = s3.api.get_bucket_location(Bucket=name)["LocationConstraint"]
    equal(got, "eu-west-1", "LocationConstraint")


@G.case("head_existing", "HeadBucket: x-amz-bucket-region")
def head_existing(s3: S3) -> None:
    answer = s3.req("HEAD", s3.bucket()).ok()
    equal(answer["x-amz-bucket-region"], "us-east-1", "x-amz-bucket-region")
    equal(answer.body, b"", "body")


@G.case("head_missing", "HeadBucket: 404 without a body")
def head_missing(s3: S3) -> None:
    equal(s3.req("HEAD", s3.name()).ok(404).body, b"", "body")


@G.case("listed_with_date_and_owner", "ListBuckets, Response Elements")
def listed_with_date_and_owner(s3: S3) -> None:
    name = s3.bucket()
    answer = s3.req("GET").ok()
    equal(answer.xml.tag, "ListAllMyBucketsResult", "document")
    dates = {b.findtext("Name"): b.findtext("CreationDate") for b in answer.xml.iter("Bucket")}
    matches(dates.get(name), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", "CreationDate")
    true(answer.text("Owner/ID"), "an Owner/ID")


@G.case("listed_in_order_of_names", "ListBuckets: Buckets are listed alphabetically")
def listed_in_order(s3: S3) -> None:
    prefix = s3.bucket()
    for end in ("c", "a", "b"):
        s3.buckets.append(f"{prefix}-{end}")
        s3.api.create_bucket(Bucket=f"{prefix}-{end}")
    names = [b["Name"] for b in s3.api.list_buckets()["Buckets"]]
    mine = [n for n in names if n.startswith(prefix)]
    equal(mine, [prefix, f"{prefix}-a", f"{prefix}-b", f"{prefix}-c"], "names")


@G.case("list_prefix", "ListBuckets: prefix")
def list_prefix(s3: S3) -> None:
    name = s3.bucket()
    s3.bucket()
    listed = s3.api.list_buckets(Prefix=name)
    equal([b["Name"] for b in listed["Buckets"]], [name], "names")
    equal(listed.get("Prefix"), name, "Prefix")


@G.case("list_pages", "ListBuckets: max-buckets, continuation-token")
def list_pages(s3: S3) -> None:
    prefix = s3.bucket()
    for end in ("a", "b"):
        s3.buckets.append(f"{prefix}-{end}")
        s3.api.create_bucket(Bucket=f"{prefix}-{end}")
    first = s3.api.list_buckets(Prefix=prefix, MaxBuckets=2)
    equal([b["Name"] for b in first["Buckets"]], [prefix, f"{prefix}-a"], "first page")
    true(first.get("ContinuationToken"), "a ContinuationToken")
    token = first["ContinuationToken"]
    last = s3.api.list_buckets(Prefix=prefix, MaxBuckets=2, ContinuationToken=token)
    equal([b["Name"] for b in last["Buckets"]], [f"{prefix}-b"], "last page")
    equal(last.get("ContinuationToken"), None, "ContinuationToken of the last page")


@G.case("delete_empty", "DeleteBucket: 204")
def delete_empty(s3: S3) -> None:
    name = s3.bucket()
    equal(s3.req("DELETE", name).ok(204).body, b"", "body")
    s3.req("HEAD", name).ok(404)


@G.case("delete_missing", "DeleteBucket; Error responses: NoSuchBucket")
def delete_missing(s3: S3) -> None:
    s3.req("DELETE", s3.name()).error(404, "NoSuchBucket")


@G.case("delete_with_object", "DeleteBucket; Error responses: BucketNotEmpty")
def delete_with_object(s3: S3) -> None:
    s3.req("DELETE", s3.keys(s3.bucket(), "a")).error(409, "BucketNotEmpty")


@G.case("delete_with_old_version", "DeleteBucket: all versions must be deleted before")
def delete_with_old_version(s3: S3) -> None:
    name = s3.keys(s3.bucket(versioned=True), "a")
    marker = s3.api.delete_object(Bucket=name, Key="a")["VersionId"]
    s3.req("DELETE", name).error(409, "BucketNotEmpty")
    s3.api.delete_object(Bucket=name, Key="a", VersionId=marker)


@G.case("delete_with_delete_marker", "DeleteBucket: all delete markers must be deleted before")
def delete_with_delete_marker(s3: S3) -> None:
    name = s3.bucket(versioned=True)
    version = s3.put(name, "a")["VersionId"]
    s3.api.delete_object(Bucket=name, Key="a")
    s3.api.delete_object(Bucket=name, Key="a", VersionId=version)
    s3.req("DELETE", name).error(409, "BucketNotEmpty")


@G.case("made_again_is_empty", "CreateBucket, DeleteBucket")
def made_again_is_empty(s3: S3) -> None:
    name = s3.bucket(versioned=True)
    s3.api.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.api.delete_bucket(Bucket=name)
    s3.api.create_bucket(Bucket=name)
    equal(s3.api.get_bucket_versioning(Bucket=name).get("Status"), None, "Status")
    refused(404, "NoSuchTagSet", s3.api.get_bucket_tagging, Bucket=name)


@G.table(
    "x-amz-expected-bucket-owner: another owner fails with 403 (access denied)",
    {
        "expected_owner_get_object": ("GET", "a", {}),
        "expected_owner_put_object": ("PUT", "b", {}),
        "expected_owner_delete_object": ("DELETE", "a", {}),
        "expected_owner_list": ("GET", None, {"list-type": "2"}),
        "expected_owner_get_tagging": ("GET", None, {"tagging": ""}),
    },
)
def expected_owner(s3: S3, method: str, key: str | None, query: dict[str, str]) -> None:
    name = s3.keys(s3.bucket(), "a")
    owner = {"x-amz-expected-bucket-owner": "999999999999"}
    s3.req(method, name, key, query, owner).error(403, "AccessDenied")


CONFIGURATIONS = (
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "location",
    "object-lock",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "tagging",
    "uploads",
    "versioning",
    "versions",
)


@G.table(
    "Error responses: NoSuchBucket, for reading any subresource",
    {f"missing_get_{c.replace('-', '_').lower()}": (c,) for c in CONFIGURATIONS},
)
def missing_configuration(s3: S3, subresource: str) -> None:
    s3.req("GET", s3.name(), query={subresource: ""}).error(404, "NoSuchBucket")


@G.table(
    "Error responses: NoSuchBucket, for every operation on an object",
    {
        "missing_get_object": ("GET", "k", {}, {}),
        "missing_put_object": ("PUT", "k", {}, {}),
        "missing_delete_object": ("DELETE", "k", {}, {}),
        "missing_list_v1": ("GET", None, {}, {}),
        "missing_list_v2": ("GET", None, {"list-type": "2"}, {}),
        "missing_create_upload": ("POST", "k", {"uploads": ""}, {}),
        "missing_get_object_tagging": ("GET", "k", {"tagging": ""}, {}),
        "missing_copy_destination": ("PUT", "k", {}, {"x-amz-copy-source": "{bucket}/a"}),
    },
)
def missing_bucket(
    s3: S3, method: str, key: str | None, query: dict[str, str], headers: dict[str, str]
) -> None:
    there = s3.keys(s3.bucket(), "a")
    headers = {k: v.format(bucket=there) for k, v in headers.items()}
    name = s3.name()
    answer = s3.req(method, name, key, query, headers).error(404, "NoSuchBucket")
    one_of(answer.text("BucketName"), (name, None), "BucketName")
