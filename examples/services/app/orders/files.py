"""The role `orders-files`: notes on a volume, over HTTP."""

import os
import re
import tempfile
from pathlib import Path

from flask import request

from orders import web
from orders.errors import Invalid, Unavailable

# Nothing that begins with a dot: those are ours.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def create_app():
    return web.start(_build)


def _build(settings):
    folder = Path(settings.files_dir)

    def writable():
        try:
            with tempfile.TemporaryFile(dir=folder, prefix=".probe-"):
                pass
        except OSError as error:
            raise Unavailable("volume", error) from error

    app = web.new_app("orders-files", {"volume": writable})

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

    return app


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
