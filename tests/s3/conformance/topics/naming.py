"""Which names a bucket may have."""

from __future__ import annotations

import uuid

from ..context import S3
from ..registry import Group

G = Group("naming")

RULES = "General purpose bucket naming rules"


@G.table(
    f"{RULES}; Error responses: InvalidBucketName",
    {
        "two_characters": ("ab",),
        "sixty_four_characters": ("a" * 64,),
        "upper_case": ("Conf-Upper-Case",),
        "underscore": ("conf_under_score",),
        "space": ("conf with space",),
        "first_hyphen": ("-conf-first",),
        "last_hyphen": ("conf-last-",),
        "first_period": (".conf-first",),
        "last_period": ("conf-last.",),
        "adjacent_periods": ("conf..periods",),
        "ip_address": ("192.168.5.4",),
        "prefix_xn": ("xn--conf-prefix",),
        "prefix_sthree": ("sthree-conf-prefix",),
        "prefix_amzn_s3_demo": ("amzn-s3-demo-conf",),
        "suffix_s3alias": ("conf-suffix-s3alias",),
        "suffix_ol_s3": ("conf-suffix--ol-s3",),
        "suffix_mrap": ("conf-suffix.mrap",),
        "suffix_x_s3": ("conf-suffix--x-s3",),
        "suffix_table_s3": ("conf-suffix--table-s3",),
        "not_ascii": ("conf-ü-umlaut",),
    },
)
def refused_name(s3: S3, name: str) -> None:
    s3.buckets.append(name)
    s3.req("PUT", name).error(400, "InvalidBucketName")
    s3.buckets.remove(name)


@G.table(
    RULES,
    {
        "three_characters": (3, ""),
        "sixty_three_characters": (63, ""),
        "with_period": (24, "a.b"),
        "with_hyphens": (24, "a--b"),
        "first_digit": (24, "1"),
    },
)
def accepted_name(s3: S3, length: int, start: str) -> None:
    name = (start + uuid.uuid4().hex + uuid.uuid4().hex)[:length]
    s3.buckets.append(name)
    s3.req("PUT", name).ok()
    s3.req("HEAD", name).ok()


@G.case("only_digits", RULES)
def only_digits(s3: S3) -> None:
    name = str(uuid.uuid4().int)[:20]
    s3.buckets.append(name)
    s3.req("PUT", name).ok()
