#!/usr/bin/env bash
# orval 8.38.0 (npm): where an operation takes JSON or CSV, its client sends neither, but JSON as text/plain.
#
# In OpenAPI (3.1.1, 4.8.13 "Request Body Object") `content` lists the media types that a body may have, and a client picks one. For an operation with one
# type, orval's client for fetch sends it as Content-Type. With two, it joins the types of their bodies (`Users | string`), writes whatever it is given as
# JSON, and sends no Content-Type, so fetch says text/plain;charset=UTF-8. A server that goes by Content-Type (RFC 9110, 8.3) answers 415, also to the JSON
# that worked before it accepted CSV; and a CSV text arrives in quotation marks, with its line ends as \r\n in letters. Other generators (hey-api, oazapfts,
# swagger-typescript-api, openapi-python-client) send the first type, or let the caller choose.
#
# Seen (what the server got):
#   createGroup({users: […]}), one type     application/json            {"users":["ann@example.com"]}
#   allocate({users: […]}), two types       text/plain;charset=UTF-8    {"users":["ann@example.com"]}
#   allocate("email\r\n…"), two types       text/plain;charset=UTF-8    "email\r\nann@example.com\r\n"
#
# Rollcall takes a JSON object for licences also if it is called text/plain (adapters/api/licences.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund 'orval@8.38.0' 'typescript@5.9.3' >/dev/null
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.1",
  "info": {"title": "Licences", "version": "1"},
  "paths": {
    "/groups": {"post": {
      "operationId": "createGroup",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Users"}}}},
      "responses": {"204": {"description": "Created"}}
    }},
    "/licences": {"post": {
      "operationId": "allocate",
      "requestBody": {"required": true, "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Users"}},
        "text/csv": {"schema": {"type": "string"}}
      }},
      "responses": {"204": {"description": "Allocated"}}
    }}
  },
  "components": {"schemas": {"Users": {
    "type": "object", "required": ["users"], "properties": {"users": {"type": "array", "items": {"type": "string"}}}
  }}}
}
JSON
cat >orval.config.mjs <<'JAVASCRIPT'
export default { client: { input: "./openapi.json", output: { target: "./client.ts", client: "fetch", mode: "single" } } };
JAVASCRIPT
HOME=$folder npx orval --config orval.config.mjs >/dev/null 2>&1
npx tsc client.ts --target es2022 --module es2022 --skipLibCheck >/dev/null
mv client.js client.mjs
cat >run.mjs <<'JAVASCRIPT'
import { createServer } from "node:http";
import { allocate, createGroup } from "./client.mjs";
const seen = [];
const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  seen.push(`${request.url} ${request.headers["content-type"]} ${body}`);
  response.writeHead(204).end();
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const native = globalThis.fetch;
globalThis.fetch = (path, options) => native(`http://127.0.0.1:${server.address().port}${path}`, options);
const users = { users: ["ann@example.com"] };
await createGroup(users);
await allocate(users);
await allocate("email\r\nann@example.com\r\n");
console.log(seen.join("\n"));
const same = seen.join("\n") === [
  '/groups application/json {"users":["ann@example.com"]}',
  '/licences text/plain;charset=UTF-8 {"users":["ann@example.com"]}',
  '/licences text/plain;charset=UTF-8 "email\\r\\nann@example.com\\r\\n"',
].join("\n");
if (!same) console.error("orval behaves otherwise now");
process.exit(same ? 0 : 1);
JAVASCRIPT
node run.mjs
