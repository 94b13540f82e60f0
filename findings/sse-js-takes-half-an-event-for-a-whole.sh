#!/usr/bin/env bash
# sse.js 2.8.0 (npm) and sseclient-py 1.9.0 (PyPI): if a stream of Server-Sent Events ends in the middle of an event, its first half is an event, and sse.js
# never asks for the whole one again.
#
# By the standard, what is pending when the stream ends is discarded: an event without its final blank line is not dispatched (HTML, 9.2.6 "Interpreting
# an event stream"). A server that speaks HTTP/1.0, or a proxy that closes the connection to end an answer, can end it anywhere. These clients hand what
# is left to the program, whose JSON parser then fails, or, if the data is plain text or of several lines, to a program that can't tell. As the id usually comes
# first, sse.js takes that event for received: with autoReconnect it asks for what is after it (Last-Event-ID), so the last event of a stream, which
# says how all ended, never comes. npm's eventsource 4.1.1, and PyPI's httpx-sse and aiohttp-sse-client, discard the half.
#
# Seen (event 1, and half of event 2; what the program got, and the Last-Event-ID of the client's next request):
#                  the id before the data      the id after the data
#   eventsource    {"n":1}             1       {"n":1}             1
#   sse.js         {"n":1} {"n":       2       {"n":1} {"n":       1
#   sseclient-py   {"n":1} {"n":       -       {"n":1} {"n":       -
#
# Rollcall writes the id of an event after its data, so that half an event has none and is asked for again (adapters/api/progress.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'sseclient-py==1.9.0' 'requests==2.34.2' 2>/dev/null
npm install --silent --no-audit --no-fund 'sse.js@2.8.0' 'eventsource@4.1.1' 'jsdom@26.1.0' >/dev/null 2>&1
cat >client.py <<'PYTHON'
import sys

import requests
import sseclient

with requests.get(sys.argv[1], stream=True) as response:
    print(*(event.data for event in sseclient.SSEClient(response).events()))
PYTHON
cat >clients.mjs <<'JAVASCRIPT'
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { EventSource } from "eventsource";
import { JSDOM } from "jsdom";
import { SSE } from "sse.js";

const BODIES = {
  before: 'id: 1\nevent: progress\ndata: {"n":1}\n\nid: 2\nevent: progress\ndata: {"n":',
  after: 'event: progress\ndata: {"n":1}\nid: 1\n\nevent: progress\ndata: {"n":',
};
const asked = {};
let again = () => {};
const server = createServer((request, response) => {
  const path = request.url.slice(1);
  (asked[path] ??= []).push(request.headers["last-event-id"]);
  if (asked[path].length > 1) {
    response.writeHead(204).end();
    again();
  } else {
    response.writeHead(200, { "Content-Type": "text/event-stream" }).end(BODIES[path.split("-")[1]]);
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${server.address().port}/`;
globalThis.XMLHttpRequest = new JSDOM("", { url }).window.XMLHttpRequest;

const followed = async (client, start) => {
  for (const order of ["before", "after"]) {
    const path = `${client}-${order}`;
    const seen = [];
    const reconnected = new Promise((resolve) => (again = resolve));
    const source = start(url + path);
    source.addEventListener("progress", ({ data }) => seen.push(data));
    await reconnected;
    source.close();
    console.log(client, order, ...seen, asked[path].at(-1));
  }
};
await followed("eventsource", (address) => new EventSource(address));
await followed("sse.js", (address) => new SSE(address, { autoReconnect: true, reconnectDelay: 100, useLastEventId: true }));
for (const order of ["before", "after"]) {
  const { stdout } = await promisify(execFile)("venv/bin/python", ["client.py", `${url}python-${order}`]);
  console.log("sseclient-py", order, stdout.trim());
}
process.exit();
JAVASCRIPT
seen=$(node clients.mjs)
echo "$seen"
[ "$seen" = 'eventsource before {"n":1} 1
eventsource after {"n":1} 1
sse.js before {"n":1} {"n": 2
sse.js after {"n":1} {"n": 1
sseclient-py before {"n":1} {"n":
sseclient-py after {"n":1} {"n":' ] || { echo "One of the clients behaves otherwise now." >&2; exit 1; }
