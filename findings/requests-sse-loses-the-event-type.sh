#!/usr/bin/env bash
# requests-sse 0.5.3 (PyPI): an event loses its type if a piece of the answer ends between the CR and the LF of a line.
#
# Lines of Server-Sent Events may end with CR LF, LF or CR (HTML, 9.2.5 "Parsing an event stream"), and HTTP or a proxy may cut the stream anywhere. If a piece
# ends just after the CR of the "event:" line, the event arrives as type "message", so that a program that listens for its type never hears of it. Data and id
# arrive. With LF alone nothing is lost, wherever the pieces end.
#
# Seen:
#   CR LF, in one piece                 progress
#   CR LF, cut between CR and LF        message
#   LF, cut before the LF               progress
#
# Rollcall ends the lines of its streams with LF; the framework's own events end them with CR LF (adapters/api/progress.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'requests-sse==0.5.3' 'requests==2.32.5' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep

from requests_sse import EventSource

PIECES = {
    "/crlf-whole": [b"event: progress\r\nid: 1\r\ndata: {}\r\n\r\n"],
    "/crlf-cut": [b"event: progress\r", b"\nid: 1\r\ndata: {}\r\n\r\n"],
    "/lf-cut": [b"event: progress", b"\nid: 1\ndata: {}\n\n"],
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (*PIECES[self.path], b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            sleep(0.2)  # so that each piece is a read of its own

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
seen = {}
for path in PIECES:
    with EventSource(f"http://127.0.0.1:{server.server_port}{path}", timeout=10) as source:
        seen[path] = next(iter(source)).type
for path, kind in seen.items():
    print(path, kind)
expected = {"/crlf-whole": "progress", "/crlf-cut": "message", "/lf-cut": "progress"}
sys.exit(0 if seen == expected else "requests-sse behaves otherwise now")
PYTHON
