#!/usr/bin/env bash
# Three clients of Server-Sent Events take a comment for an event: sseclient 0.0.27 and httpx-sse 0.4.3 (PyPI), @microsoft/fetch-event-source 2.0.1 (npm).
#
# Servers send ": still here" and a blank line to keep a quiet stream open, as the examples of the standard do. By the standard a blank line dispatches
# nothing where no data came before it (HTML, 9.2.6 "Interpreting an event stream"). These clients hand an event of type "message" (or "") with the data "" to
# the program, which then fails to decode it as JSON; httpx-sse does so from the first event with an id on. Other clients (sseclient-py 1.8.0, requests-sse,
# aiohttp-sse-client, npm's eventsource, eventsource-client, event-source-polyfill) don't. A comment without a blank line behind it is understood by all.
#
# Seen (event, comment, blank line, event / event, comment, event):
#   sseclient           progress, message, progress    /  progress, progress
#   httpx-sse           progress, message, progress    /  progress, progress
#   fetch-event-source  progress, (none), progress     /  progress, progress
#
# Rollcall sends comments without a blank line (adapters/api/progress.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'sseclient==0.0.27' 'requests==2.32.5' 'httpx==0.28.1' 'httpx-sse==0.4.3' 2>/dev/null
npm install --silent --no-audit --no-fund '@microsoft/fetch-event-source@2.0.1' >/dev/null

cat >server.py <<'PYTHON'
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENT = b'id: 1\nevent: progress\ndata: {}\n\n'
BODIES = {"/blank": EVENT + b": still here\n\n" + EVENT, "/bare": EVENT + b": still here\n" + EVENT}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self.wfile.write(BODIES[self.path])

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 server.py >port &
server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done

cat >clients.py <<'PYTHON'
import sys
from itertools import islice

import httpx
import httpx_sse
import sseclient

url = sys.argv[1]
for path, count in (("/blank", 3), ("/bare", 2)):
    print("sseclient", path, *(each.event for each in islice(sseclient.SSEClient(url + path), count)))
    with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url + path) as source:
        print("httpx-sse", path, *(each.event for each in source.iter_sse()))
PYTHON
cat >client.mjs <<'JAVASCRIPT'
import { fetchEventSource } from "@microsoft/fetch-event-source";
globalThis.document = { addEventListener() {}, removeEventListener() {}, hidden: false };
globalThis.window = globalThis;
for (const path of ["/blank", "/bare"]) {
  const seen = [];
  await fetchEventSource(process.argv[2] + path, { onmessage: ({ event }) => seen.push(event || "(none)") });
  console.log("fetch-event-source", path, ...seen);
}
JAVASCRIPT
url="http://127.0.0.1:$(cat port)"
seen=$(venv/bin/python clients.py "$url" && node client.mjs "$url")
echo "$seen"
[ "$seen" = "sseclient /blank progress message progress
httpx-sse /blank progress message progress
sseclient /bare progress progress
httpx-sse /bare progress progress
fetch-event-source /blank progress (none) progress
fetch-event-source /bare progress progress" ] || { echo "One of the clients behaves otherwise now." >&2; exit 1; }
