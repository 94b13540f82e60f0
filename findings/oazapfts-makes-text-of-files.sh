#!/usr/bin/env bash
# oazapfts 7.5.0 (npm): if a download may fail with an error in JSON, the file is decoded as UTF-8, although its type says Blob. Other bytes are lost.
#
# In OpenAPI, each response of an operation has media types of its own (3.1.1, 4.8.17 "Response Object"): 200 may be a file, and 404 problem details
# (RFC 9457). The generator chooses one function for all of them. If any is JSON, it is fetchJson, which reads the answer with text(): what isn't UTF-8
# becomes U+FFFD, so an archive can't be opened any more, and a list in Windows-1252 loses its names. The status is 200, and nothing is raised. Without the error
# in the document the same bytes arrive as a Blob. fetchJson then parses all whose type has "json" in it: lines of JSON (application/x-ndjson) are an object
# if there is one line, as in a test, and raise a SyntaxError if there are two.
#
# Seen (what the generated types call Blob and string; the answer is 200 each time):
#   the bytes c9 71, and no error described     Blob      c9 71
#   the same, and 404 is problem+json           string    ef bf bd 71
#   {"n":1}                                     object
#   {"n":1}, {"n":2}                            SyntaxError
#
# docs/api-tour.md, "Good to know", says how to get Rollcall's downloads with it. An import has the SHA-256 of its file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund 'oazapfts@7.5.0' '@oazapfts/runtime@1.2.0' 'typescript@5.9.3' >/dev/null
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.0", "info": {"title": "Downloads", "version": "1"},
  "paths": {
    "/alone": {"get": {"operationId": "downloadAlone", "responses": {
      "200": {"description": "A file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    }}},
    "/file": {"get": {"operationId": "downloadFile", "responses": {
      "200": {"description": "A file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
      "404": {"description": "Not found", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
    }}},
    "/lines/{count}": {"get": {"operationId": "downloadLines",
      "parameters": [{"name": "count", "in": "path", "required": true, "schema": {"type": "integer"}}],
      "responses": {
        "200": {"description": "Lines of JSON", "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
        "404": {"description": "Not found", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
      }
    }}
  }
}
JSON
npx oazapfts openapi.json client.ts >/dev/null
npx tsc client.ts --target es2022 --module es2022 --moduleResolution bundler --lib es2022,dom --skipLibCheck
mv client.js client.mjs
cat >run.mjs <<'JAVASCRIPT'
import { createServer } from "node:http";
import { defaults, downloadAlone, downloadFile, downloadLines } from "./client.mjs";
const server = createServer(({ url }, response) => {
  const lines = Number(url.split("/")[2]);
  response.setHeader("Content-Type", lines ? "application/x-ndjson" : "application/octet-stream");
  response.end(lines ? '{"n":1}\n{"n":2}\n'.slice(0, lines * 8) : Buffer.from([0xc9, 0x71]));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
defaults.baseUrl = `http://127.0.0.1:${server.address().port}`;
async function shown(download) {
  try {
    const { status, data } = await download;
    if (data instanceof Blob) return `${status} Blob ${Buffer.from(await data.arrayBuffer()).toString("hex")}`;
    return `${status} ${typeof data} ${typeof data === "string" ? Buffer.from(data).toString("hex") : JSON.stringify(data)}`;
  } catch (error) {
    return error.name;
  }
}
const seen = [await shown(downloadAlone()), await shown(downloadFile()), await shown(downloadLines(1)), await shown(downloadLines(2))];
console.log(seen.join("\n"));
const same = seen.join("\n") === ["200 Blob c971", "200 string efbfbd71", '200 object {"n":1}', "SyntaxError"].join("\n");
if (!same) console.error("oazapfts behaves otherwise now");
process.exit(same ? 0 : 1);
JAVASCRIPT
node run.mjs
