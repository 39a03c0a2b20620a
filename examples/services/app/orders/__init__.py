"""Orders in Postgres, cached in Redis, with notes on a volume."""

VERSION = "1.0.0"
