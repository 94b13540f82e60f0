#!/usr/bin/env bash
# event-source-polyfill 1.0.31 (npm): it reconnects with `?lastEventId=ID` in the address and without the header Last-Event-ID.
#
# The standard's header tells a server from where to go on (HTML, 9.2.4 "The Last-Event-ID header"). This client, which is used because the browsers' own cannot send
# an Authorization header, adds a query parameter instead, to spare a CORS preflight. A server that knows the header alone starts from the beginning; one that refuses unknown
# parameters answers 400, and the client gives up for good.
#
# Seen (requests of one client whose stream ended after event 7):
#   /stream                 Last-Event-ID: none
#   /stream?lastEventId=7   Last-Event-ID: none
#
# Rollcall takes both from progress streams (adapters/api/progress.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund 'event-source-polyfill@1.0.31' >/dev/null
cat >client.mjs <<'JAVASCRIPT'
import { createServer } from "node:http";
import polyfill from "event-source-polyfill";
const seen = [];
const server = createServer((request, response) => {
  seen.push(`${request.url} ${request.headers["last-event-id"] ?? "none"}`);
  if (seen.length === 2) {
    console.log(seen.join("\n"));
    const same = seen.join() === "/stream none,/stream?lastEventId=7 none";
    if (!same) console.error("event-source-polyfill behaves otherwise now");
    process.exit(same ? 0 : 1);
  }
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.end("retry: 100\nid: 7\ndata: {}\n\n");
});
server.listen(0, "127.0.0.1", () => new polyfill.EventSourcePolyfill(`http://127.0.0.1:${server.address().port}/stream`));
setTimeout(() => { console.error("it did not reconnect"); process.exit(1); }, 30000);
JAVASCRIPT
node client.mjs
