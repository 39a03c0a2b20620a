"""The role `orders-files`: notes on a volume and receipts in S3, over HTTP."""

import os
import re
import tempfile
from pathlib import Path

from flask import redirect, request

from orders import web
from orders.datadog_agent import Metrics, forget_probes
from orders.errors import Invalid, Unavailable
from orders.log import fields
from orders.receipts import Receipts

LISTED = 100

# Nothing that begins with a dot: those are ours.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def create_app():
    return web.start(_build)


def _build(settings):
    folder, receipts, metrics = Path(settings.files_dir), Receipts(settings), Metrics()
    if settings.datadog:
        forget_probes()

    def writable():
        try:
            with tempfile.TemporaryFile(dir=folder, prefix=".probe-"):
                pass
        except OSError as error:
            raise Unavailable("volume", error) from error

    app = web.new_app("orders-files", {"volume": writable, "s3": receipts.ping})

    @app.get("/files")
    def list_files():
        names = sorted(path.name for path in _try(lambda: list(folder.iterdir())))
        return {"files": [name for name in names if _NAME.fullmatch(name)], "node": settings.node or None}

    @app.get("/files/<name>")
    def get_file(name):
        try:
            text = _try((folder / _checked(name)).read_bytes)
        except FileNotFoundError:
            return {"error": "no such file", "name": name}, 404
        return text, {"Content-Type": "text/plain; charset=utf-8"}

    @app.put("/files/<name>")
    def put_file(name):
        path, text = folder / _checked(name), request.get_data()
        _try(lambda: _write(path, text))
        return {"name": name, "bytes": len(text), "node": settings.node or None}

    @app.get("/receipts")
    def list_receipts():
        after = request.args.get("after", "")
        return receipts.bucket() | receipts.listed(after and _checked(after), LISTED)

    @app.put("/receipts/<name>")
    def put_receipt(name):
        text = request.get_data()
        receipts.store(_checked(name), text)
        metrics.receipt_stored(len(text))
        app.logger.info("receipt stored", extra=fields(receipt=name, bytes=len(text)))
        return {"name": name, "bytes": len(text)}

    @app.get("/receipts/<name>")
    def get_receipt(name):
        return receipts.receipt(_checked(name)) or _no_receipt(name)

    @app.get("/receipts/<name>/download")
    def download_receipt(name):
        """Sends the client to S3 itself: the receipt does not pass through here."""
        receipt = receipts.receipt(_checked(name))
        return redirect(receipt["url"], 303) if receipt else _no_receipt(name)

    @app.delete("/receipts/<name>")
    def delete_receipt(name):
        receipts.forget(_checked(name))
        return "", 204

    return app


def _no_receipt(name):
    return {"error": "no such receipt", "name": name}, 404


def _checked(name):
    if not _NAME.fullmatch(name):
        raise Invalid("a name has 1 to 64 letters, digits, dots, dashes and underscores")
    return name


def _write(path, text):
    """Whole or not at all, and still there after a crash of the node."""
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        Path(unfinished).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _try(action):
    """A volume that fails is unavailable; a file that is not there is the caller's business."""
    try:
        return action()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable("volume", error) from error
