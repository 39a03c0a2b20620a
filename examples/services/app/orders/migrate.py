"""Brings the database to the newest schema: `python3 -m orders.migrate`.

Every pod runs it before it starts. A lock lets them do so one after another, and what was done
before is left alone.
"""

import logging
import logging.config
import sys
import time
from pathlib import Path

import psycopg

from orders import log
from orders.database import connect_options
from orders.settings import EXIT_SETTINGS, Settings, SettingsError

FOLDER = Path(__file__).parent / "migrations"
# Any number that nothing else in this database uses.
LOCK = 6_677_351
# How long the database may take to answer; then Kubernetes tries again.
PATIENCE_SECONDS = 30
logger = logging.getLogger("orders.migrate")


def main():
    try:
        settings = Settings.from_env()
        logging.config.dictConfig(log.config(settings.log_level))
        options = connect_options(settings)
    except SettingsError as error:
        logging.config.dictConfig(log.config("INFO"))
        logger.critical("wrong settings", extra=log.fields(reason=str(error)))
        return EXIT_SETTINGS
    try:
        with _connect(options) as connection:
            _migrate(connection)
    except psycopg.Error as error:
        logger.critical("failed", extra=log.fields(reason=" ".join(str(error).split())))
        return 1
    return 0


def _connect(options):
    end, told = time.monotonic() + PATIENCE_SECONDS, None
    while True:
        try:
            return psycopg.connect(**options)
        except psycopg.OperationalError as error:
            if time.monotonic() >= end:
                raise
            reason = " ".join(str(error).split())
            if reason != told:
                logger.warning("waiting for the database", extra=log.fields(reason=reason))
                told = reason
            time.sleep(0.5)


def _migrate(connection):
    """All in one transaction, which also holds the lock: it works through connection poolers."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(
            """create table if not exists schema_migrations
               (name text primary key, applied_at timestamptz not null default now())"""
        )
        done = {name for (name,) in connection.execute("select name from schema_migrations")}
        for path in sorted(FOLDER.glob("*.sql")):
            if path.stem in done:
                continue
            connection.execute(path.read_text(encoding="utf-8"))
            connection.execute("insert into schema_migrations (name) values (%s)", (path.stem,))
            logger.info("applied", extra=log.fields(migration=path.stem))
    logger.info("the schema is up to date")


if __name__ == "__main__":
    sys.exit(main())
