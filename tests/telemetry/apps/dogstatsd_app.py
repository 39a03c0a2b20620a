"""Sends one metric of every kind that the `datadog` client knows, in its default
settings. With a path, it uses the Unix socket there."""

import json
import sys
import time

from datadog import initialize, statsd

SENT = 400
at = int(time.time()) - 60


def main() -> None:
    if len(sys.argv) > 1:
        initialize(statsd_socket_path=sys.argv[1])
        # The queue of a Unix socket is short, and the client drops rather than waits.
        statsd.set_socket_timeout(5)
    else:
        initialize()
    tags = ["shop:berlin", "flag"]
    statsd.gauge("orders.open", 7.5, tags=tags)
    statsd.increment("orders.made", 3, tags=tags)
    statsd.decrement("orders.made", 1, tags=tags)
    statsd.histogram("order.items", 4, tags=tags)
    statsd.distribution("order.total", 19.99, tags=tags)
    statsd.timing("order.time", 320, tags=tags)
    for user in "ann", "bob", "ann":
        statsd.set("order.users", user, tags=tags)
    statsd.gauge_with_timestamp("orders.old", 2, at, tags=tags)
    statsd.count_with_timestamp("orders.counted", 5, at, tags=tags)
    statsd.event(
        "deployed | v2", "line one\nline two", alert_type="warning", priority="low", hostname="web-1", tags=tags
    )
    statsd.service_check("db.up", statsd.CRITICAL, tags=tags, hostname="web-1", message="no answer", timestamp=at)
    for _ in range(SENT):
        statsd.increment("orders.sampled", sample_rate=0.5)
    statsd.flush()
    print(json.dumps({"at": at}))


main()
