"""Sends metrics and logs through the HTTP intake with `datadog-api-client`."""

import json
import os
import sys
import time

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v1.api.metrics_api import MetricsApi as MetricsApiV1
from datadog_api_client.v1.model.metrics_payload import MetricsPayload
from datadog_api_client.v1.model.point import Point
from datadog_api_client.v1.model.series import Series
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.api.metrics_api import MetricsApi
from datadog_api_client.v2.model.content_encoding import ContentEncoding
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem
from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding
from datadog_api_client.v2.model.metric_intake_type import MetricIntakeType
from datadog_api_client.v2.model.metric_payload import MetricPayload
from datadog_api_client.v2.model.metric_point import MetricPoint
from datadog_api_client.v2.model.metric_resource import MetricResource
from datadog_api_client.v2.model.metric_series import MetricSeries

url, service = sys.argv[1:]
now = int(time.time())

settings = Configuration(host=url, api_key={"apiKeyAuth": os.environ["DD_API_KEY"]})
# The client spreads its calls over hosts by a template; here there is one.
settings.server_index = None
tags = [f"service:{service}", "env:test", "version:1.2.3", "shop:berlin"]

with ApiClient(settings) as client:
    for encoding in MetricContentEncoding.DEFLATE, MetricContentEncoding.GZIP, MetricContentEncoding.ZSTD1:
        series = MetricSeries(
            metric="intake.v2",
            type=MetricIntakeType.COUNT,
            points=[MetricPoint(timestamp=now, value=4.0)],
            tags=[*tags, f"encoding:{encoding}"],
            resources=[MetricResource(name="web-1", type="host")],
        )
        MetricsApi(client).submit_metrics(MetricPayload(series=[series]), content_encoding=encoding)
    old = Series(metric="intake.v1", type="gauge", points=[Point([float(now), 2.5])], tags=tags, host="web-1")
    MetricsApiV1(client).submit_metrics(MetricsPayload(series=[old]))
    item = HTTPLogItem(
        message="order 17 was paid",
        ddsource="python",
        ddtags="env:test,version:1.2.3",
        hostname="web-1",
        service=service,
        status="warning",
    )
    LogsApi(client).submit_log(HTTPLog([item]), content_encoding=ContentEncoding.GZIP)
print(json.dumps({"at": now}))
