#!/usr/bin/env bash
# @hey-api/openapi-ts 0.95.0 (npm): its client for Server-Sent Events doesn't reconnect when a stream ends, and does when it is answered with 204.
#
# By the standard it is the other way round: a client reconnects when a stream ends, and a 204 tells it to stop (HTML, 9.2.3 "Processing model" and 9.2.1).
# The generated client takes the end of a stream for its completion, so that a loop over the events is over when the server or a proxy ends the stream in
# good order, as for a restart. Only after a broken connection does it reconnect, with Last-Event-ID. If the server then has nothing more to say and
# answers 204, that is the error "No body in SSE response", and it asks as often as sseMaxRetryAttempts allows. npm's eventsource and browsers do both as
# the standard has it.
#
# Seen (a stream whose first event has the id 1; sseMaxRetryAttempts is 4; the Last-Event-ID of each request):
#   the stream ends after the event               none
#   the connection breaks; then event 2 and end   none, 1
#   the connection breaks; then 204               none, 1, 1, 1
#
# Rollcall's last event says by its `state` that it is the last, and the description of the operation what to do if another one was (adapters/api/progress.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund '@hey-api/openapi-ts@0.95.0' 'typescript@5.9.3' >/dev/null
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.1",
  "info": {"title": "Progress", "version": "1"},
  "paths": {"/{how}": {"get": {
    "operationId": "follow",
    "parameters": [{"name": "how", "in": "path", "required": true, "schema": {"type": "string"}}],
    "responses": {"200": {"description": "The events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}}
  }}}
}
JSON
npx openapi-ts -i openapi.json -o client >/dev/null 2>&1
npx tsc client/sdk.gen.ts --outDir out --target es2022 --module es2022 --moduleResolution bundler --lib es2022,dom,dom.iterable,dom.asynciterable --skipLibCheck >/dev/null || true
# Node wants the names of the files that are imported.
find out -name '*.js' -exec sed -i -E "s#from '(\.[^']*\.gen)'#from '\1.js'#; s#from '(\.[^']*/(client|core))'#from '\1/index.js'#" {} +
cat >run.mjs <<'JAVASCRIPT'
import { createServer } from "node:http";
import { client } from "./out/client.gen.js";
import { follow } from "./out/sdk.gen.js";
const requests = { "/ends": [], "/then-204": [], "/then-more": [] };
const server = createServer((request, response) => {
  const seen = requests[request.url];
  seen.push(request.headers["last-event-id"] ?? "none");
  if (request.url === "/then-204" && seen.length > 1) return response.writeHead(204).end();
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write(`id: ${seen.length}\ndata: {}\n\n`);
  if (request.url === "/ends" || seen.length > 1) response.end();
  else setTimeout(() => response.destroy(), 200);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
client.setConfig({ baseUrl: `http://127.0.0.1:${server.address().port}` });
async function followed(how) {
  const { stream } = await follow({ path: { how }, sseDefaultRetryDelay: 10, sseMaxRetryAttempts: 4 });
  for await (const _ of stream);
  return `${how}: ${requests[`/${how}`].join(", ")}`;
}
const seen = [await followed("ends"), await followed("then-more"), await followed("then-204")].join("\n");
console.log(seen);
const same = seen === "ends: none\nthen-more: none, 1\nthen-204: none, 1, 1, 1";
if (!same) console.error("the client behaves otherwise now");
process.exit(same ? 0 : 1);
JAVASCRIPT
node run.mjs
