#!/usr/bin/env bash
# openapi-client-axios 7.9.1 (npm, over axios 1.21.1): its getRequestConfigForOperation() writes a list in a query as the OpenAPI document says, and its
# methods send it as "type[]=…", which is no parameter of the document.
#
# By default a parameter with several values is repeated, type=a&type=b; with explode: false the values are joined by commas (OpenAPI 3.1.1, 4.8.12
# "Parameter Object", "Style Examples"). The client has a serializer for all of that (query-serializer.js) and makes the URL of a request
# with it. But what it sends goes to axios as an object, and axios puts brackets behind the name of each list, whatever `style` and `explode` say. The tests
# of a program that look at the URL pass. A server that passes over parameters which it doesn't know answers with the whole list in place of what was
# asked for. axiosConfigDefaults: { paramsSerializer: { indexes: null } } helps for those that are repeated. swagger-client 3.37.3 sends what the document says.
#
# Seen (the document has type as it is by default, and id with explode: false):
#   the URL by getRequestConfigForOperation    type=GroupCreated&type=GroupDeleted&id=1,2
#   what is sent                               type[]=GroupCreated&type[]=GroupDeleted&id[]=1&id[]=2
#   what swagger-client sends                  type=GroupCreated&type=GroupDeleted&id=1,2
#
# Rollcall refuses parameters that it doesn't know, and says of these how they are written (adapters/http/validation.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund 'openapi-client-axios@7.9.1' 'axios@1.21.1' 'swagger-client@3.37.3' >/dev/null 2>&1
cat >clients.mjs <<'JAVASCRIPT'
import { createServer } from "node:http";
import { OpenAPIClientAxios } from "openapi-client-axios";
import SwaggerClient from "swagger-client";

let sent;
const server = createServer((request, response) => {
  sent = request.url;
  response.writeHead(200, { "Content-Type": "application/json" }).end("[]");
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const values = { type: "array", items: { type: "string" } };
const definition = {
  openapi: "3.1.0",
  info: { title: "Changes", version: "1" },
  servers: [{ url: `http://127.0.0.1:${server.address().port}` }],
  paths: {
    "/changes": {
      get: {
        operationId: "listChanges",
        parameters: [
          { name: "type", in: "query", schema: values },
          { name: "id", in: "query", explode: false, schema: values },
        ],
        responses: { 200: { description: "Changes", content: { "application/json": { schema: { type: "array" } } } } },
      },
    },
  },
};
const asked = { type: ["GroupCreated", "GroupDeleted"], id: ["1", "2"] };
const query = (url) => decodeURIComponent(url.split("?")[1]);

const api = new OpenAPIClientAxios({ definition });
const client = await api.init();
console.log("written:", query(api.getRequestConfigForOperation("listChanges", [asked]).url));
await client.listChanges(asked);
console.log("sent:", query(sent));
const swagger = await SwaggerClient({ spec: definition });
await swagger.apis.default.listChanges(asked);
console.log("swagger-client:", query(sent));
process.exit();
JAVASCRIPT
seen=$(node clients.mjs)
echo "$seen"
[ "$seen" = 'written: type=GroupCreated&type=GroupDeleted&id=1,2
sent: type[]=GroupCreated&type[]=GroupDeleted&id[]=1&id[]=2
swagger-client: type=GroupCreated&type=GroupDeleted&id=1,2' ] || { echo "One of the clients behaves otherwise now." >&2; exit 1; }
