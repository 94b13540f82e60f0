#!/usr/bin/env bash
# sseclient 0.0.27 (PyPI, over requests 2.32.5 and urllib3 2.5.0): the lengths of HTTP's chunks become part of the events.
#
# The client reads from the socket below the layer that decodes "Transfer-Encoding: chunked" (RFC 9112, 7.1), so it sees the hexadecimal length and the line
# breaks of every chunk as lines of the stream. Where each chunk is one whole event with lines that end with LF, that does no harm: the length is a line
# without a colon, which is passed over. Where an event comes in two chunks, or where lines end with CR LF and a comment stands alone, events are cut in two or invented.
#
# Seen:
#   LF, each event one chunk                 {"n":1} {"n":2}
#   LF, an event in two chunks               {"n" (cut: the rest is lost)
#   CR LF, a bare comment before an event    (an empty event first)
#
# Rollcall writes each event, and each comment, as one chunk with LF (adapters/api/progress.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'sseclient==0.0.27' 'requests==2.32.5' 'urllib3==2.5.0' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from threading import Thread

import sseclient

CHUNKS = {
    "/whole": [b'data: {"n":1}\n\n', b": still here\n", b'data: {"n":2}\n\n'],
    "/two-chunks": [b'data: {"n"', b':1}\n\n'],
    "/crlf-comment": [b": still here\r\n", b'data: {"n":1}\r\n\r\n'],
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (*CHUNKS[self.path], b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
seen = {}
for path, count in (("/whole", 2), ("/two-chunks", 1), ("/crlf-comment", 1)):
    events = sseclient.SSEClient(f"http://127.0.0.1:{server.server_port}{path}")
    seen[path] = [each.data for each in islice(events, count)]
for path, data in seen.items():
    print(path, data)
expected = {"/whole": ['{"n":1}', '{"n":2}'], "/two-chunks": ['{"n"'], "/crlf-comment": [""]}
sys.exit(0 if seen == expected else "sseclient behaves otherwise now")
PYTHON
