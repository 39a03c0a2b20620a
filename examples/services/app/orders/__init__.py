"""Orders in Postgres, cached in Redis, with notes on a volume and receipts in S3."""

VERSION = "1.0.0"
