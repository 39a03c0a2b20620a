"""Where this pod runs."""

import json
import logging
import ssl
import urllib.request
from functools import cache

from orders.log import fields

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_ZONE = "topology.kubernetes.io/zone"
logger = logging.getLogger(__name__)


def zone(node):
    """The zone of a node; none where the cluster has no zones.

    The downward API gives a pod no labels of its node, so the node itself is asked for.
    """
    try:
        return _node_labels(node).get(_ZONE)
    except OSError as error:
        logger.warning("the zone is unknown", extra=fields(node=node, reason=str(error)))
        return None


@cache
def _node_labels(node):
    """Asked once: a pod never changes its node. A failure is not remembered."""
    with open(f"{_ACCOUNT}/token", encoding="ascii") as file:
        token = file.read()
    request = urllib.request.Request(
        f"https://kubernetes.default.svc/api/v1/nodes/{node}",
        headers={"Authorization": f"Bearer {token}"},
    )
    trusted = ssl.create_default_context(cafile=f"{_ACCOUNT}/ca.crt")
    with urllib.request.urlopen(request, timeout=2, context=trusted) as answer:
        return json.load(answer)["metadata"].get("labels", {})
