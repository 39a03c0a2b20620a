"""What the API asks of the files service."""

import urllib3

from orders.errors import Unavailable
from orders.settings import SettingsError


class FilesClient:
    def __init__(self, settings):
        if not settings.files_url:
            raise SettingsError("FILES_URL is not set")
        self._url = settings.files_url.rstrip("/")
        self._http = urllib3.PoolManager(
            maxsize=settings.threads,
            # Longer than it takes the service to give up S3.
            timeout=urllib3.Timeout(connect=1, read=10),
            # One more attempt at once, for connections that a restart of the service broke.
            retries=urllib3.Retry(1, redirect=False, respect_retry_after_header=False),
        )

    def keep_receipt(self, order):
        """Returns where it is to be found, as a path of the app."""
        path = f"/receipts/{order['id']}"
        text = f"Order {order['reference']}\n{order['quantity']} x {order['item']}\n{order['created_at']}\n"
        try:
            answer = self._http.request(
                "PUT",
                self._url + path,
                body=text.encode(),
                headers={"Content-Type": "text/plain; charset=utf-8"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable("files", error) from error
        if answer.status != 200:
            raise Unavailable("files", f"status {answer.status}")
        return path
