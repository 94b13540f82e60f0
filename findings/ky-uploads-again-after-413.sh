#!/usr/bin/env bash
# ky 1.14.3 (npm): it sends a body that was refused as too large (413) twice more, but only if the answer says how many requests are left.
#
# A program may let ky repeat POSTs, as it may where an API knows Idempotency-Key. ky repeats a 413 only if the answer has Retry-After, which says that
# it may help (RFC 9110, 15.5.14), and gives up at once otherwise. But it takes RateLimit-Reset for Retry-After, as its README says of all such answers.
# By draft-ietf-httpapi-ratelimit-headers-07, which has this field, it belongs to answers of any status and says when a quota is whole again; nothing in
# it says that the same request should be sent once more. So a server that tells its quota in each answer, as the draft suggests, is sent the file three
# times, and the program learns of its error that much later.
#
# Seen (a POST of 1 MB, answered with 413):
#   without RateLimit-*   1 request, 1,000,000 bytes
#   with RateLimit-*      3 requests, 3,000,000 bytes
#
# Rollcall's 413 has no RateLimit-* (adapters/http/rate_limits.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund 'ky@1.14.3' >/dev/null
cat >client.mjs <<'JAVASCRIPT'
import { once } from "node:events";
import { createServer } from "node:http";
import ky from "ky";
const QUOTA = { "RateLimit-Limit": "1200", "RateLimit-Remaining": "1199", "RateLimit-Reset": "1" };
const seen = [];
for (const headers of [{}, QUOTA]) {
  let requests = 0;
  let bytes = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.on("data", (piece) => (bytes += piece.length));
    request.on("end", () => response.writeHead(413, headers).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/`;
  const { response } = await ky.post(url, { body: "x".repeat(1_000_000), retry: { methods: ["post"] } }).catch((error) => error);
  seen.push(`${response.status} after ${requests} requests, ${bytes} bytes`);
  server.close();
  server.closeAllConnections();
}
console.log(seen.join("\n"));
const same = seen.join() === "413 after 1 requests, 1000000 bytes,413 after 3 requests, 3000000 bytes";
if (!same) console.error("ky behaves otherwise now");
process.exit(same ? 0 : 1);
JAVASCRIPT
node client.mjs
