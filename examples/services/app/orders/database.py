"""Orders in Postgres. The only module that knows SQL, besides the migrations."""

import atexit
from contextlib import contextmanager

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from orders.errors import Unavailable
from orders.settings import SettingsError

_COLUMNS = "id::text, reference, item, quantity, created_at::text"


def connect_options(settings):
    """The URL and what production adds to it, as options of libpq."""
    if not settings.database_url:
        raise SettingsError("DATABASE_URL is not set")
    try:
        options = conninfo_to_dict(settings.database_url)
    except psycopg.ProgrammingError:
        raise SettingsError("DATABASE_URL is not a connection URL of Postgres") from None
    # Text is text, whatever the server's default; and a server that went away without a word is
    # noticed within seconds.
    options |= {"client_encoding": "utf8", "connect_timeout": 2, "tcp_user_timeout": 3000}
    options["application_name"] = settings.pod
    if settings.database_sslmode:
        options["sslmode"] = settings.database_sslmode
    if options.get("sslmode") == "verify-full":
        options["sslrootcert"] = settings.ca_file or "system"
    return options


def _check(connection):
    # Not a query that anybody wants to see in a trace.
    with suppress_instrumentation():
        ConnectionPool.check_connection(connection)


class Database:
    def __init__(self, settings):
        options = connect_options(settings)
        self._sslmode = options.get("sslmode", "prefer")
        self._failure = "no connection yet"
        database = self

        class Connection(psycopg.Connection):
            """Remembers why connecting failed, which the pool does not tell."""

            @classmethod
            def connect(cls, *args, **kwargs):
                try:
                    return super().connect(*args, **kwargs)
                except psycopg.Error as error:
                    database._failure = str(error)
                    raise

        self._pool = ConnectionPool(
            connection_class=Connection,
            kwargs=options | {"row_factory": dict_row},
            min_size=1,
            max_size=settings.threads,
            timeout=1,
            # Give up early and begin anew with the next request, not after a growing pause.
            reconnect_timeout=1,
            # A connection that a restart of the server broke is replaced before it is used.
            check=_check,
            open=True,
        )
        # Python cannot end the threads of an open pool while it exits itself.
        atexit.register(self._pool.close)

    @contextmanager
    def _connection(self):
        """A connection with one transaction: committed at the end, rolled back by an error."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            raise Unavailable("postgres", self._failure) from None
        except psycopg.OperationalError as error:
            raise Unavailable("postgres", error) from error

    def ping(self):
        with self._connection() as connection:
            connection.execute("select 1")

    @contextmanager
    def new_order(self, item, quantity):
        """Yields the order; it is kept only when the block ends well."""
        with self._connection() as connection:
            yield connection.execute(
                f"insert into orders (item, quantity) values (%s, %s) returning {_COLUMNS}",
                (item, quantity),
            ).fetchone()

    def order(self, order_id):
        with self._connection() as connection:
            return connection.execute(
                f"select {_COLUMNS} from orders where id = %s", (order_id,)
            ).fetchone()

    def orders(self, limit):
        with self._connection() as connection:
            return connection.execute(
                f"select {_COLUMNS} from orders order by created_at desc, id limit %s", (limit,)
            ).fetchall()

    def stats(self):
        with self._connection() as connection:
            row = connection.execute(
                """select current_setting('server_version') as version,
                          (select count(*) from orders) as orders,
                          (select jsonb_object_agg(extname, extversion)
                             from pg_extension where extname <> 'plpgsql') as extensions,
                          (select version from pg_stat_ssl where pid = pg_backend_pid()) as tls_version"""
            ).fetchone()
            tls = connection.pgconn.ssl_in_use
        return {
            "version": row["version"],
            "orders": row["orders"],
            "extensions": row["extensions"] or {},
            "tls": tls,
            "tlsVersion": row["tls_version"],
            # libpq refuses to connect in this mode unless chain and host name are right.
            "verified": tls and self._sslmode == "verify-full",
        }
