"""A greeting over HTTP: small, stateless, and honest about which replica answers."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "1.0.0"
PORT = int(os.environ.get("PORT", "8080"))
GREETING = os.environ.get("GREETING", "Hello")
LOG_LEVEL = os.environ.get("LOG_LEVEL", "info")
POD = os.environ.get("POD_NAME") or os.uname().nodename
# How long to go on answering after SIGTERM, until the load balancer has noticed.
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "1"))


def greeting(_request):
    return 200, "text/plain", f"{GREETING}, from {POD}\n"


def health(_request):
    return 200, "application/json", {"status": "ok"}


def config(_request):
    return 200, "application/json", {"greeting": GREETING, "logLevel": LOG_LEVEL}


def version(_request):
    return 200, "application/json", {"version": VERSION, "pod": POD}


def headers(request):
    """What the proxy in front says about the client."""
    shown = {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower() == "host" or name.lower().startswith("x-forwarded-")
    }
    return 200, "application/json", shown


ROUTES = {
    "/": greeting,
    "/healthz": health,
    "/config": config,
    "/version": version,
    "/headers": headers,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hello"
    sys_version = ""

    def do_GET(self):
        path = self.path.split("?", 1)[0]
        route = ROUTES.get(path)
        status, kind, body = (
            route(self) if route else (404, "application/json", {"error": "not found", "path": path})
        )
        text = body if isinstance(body, str) else json.dumps(body) + "\n"
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, format, *args):
        # Probes ask every second and would drown everything else.
        if getattr(self, "path", "") != "/healthz" or LOG_LEVEL == "debug":
            print(json.dumps({"pod": POD, "request": format % args}), flush=True)

    def address_string(self):
        return self.client_address[0]


class Server(ThreadingHTTPServer):
    # Idle keep-alive connections must not hold up the end.
    daemon_threads = True
    request_queue_size = 128


def main():
    server = Server(("0.0.0.0", PORT), Handler)

    def stop(_signal, _frame):
        def drain():
            time.sleep(DRAIN_SECONDS)
            server.shutdown()

        threading.Thread(target=drain, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(json.dumps({"pod": POD, "listening": PORT, "version": VERSION}), flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print(json.dumps({"pod": POD, "stopped": True}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
