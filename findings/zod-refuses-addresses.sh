#!/usr/bin/env bash
# zod 4.6.7 (npm): a client that checks JSON Schema's `format: email` with it refuses r&d@example.com before the server sees it.
#
# The format stands for the Mailbox of RFC 5321 (JSON Schema 2020-12, Validation, 7.3.2), whose local part may have & ! # * = / and others (RFC 5322,
# 3.2.3, atext). zod.fromJSONSchema, and the generators that write z.email() for the format, check with an expression that knows letters, digits and _ '
# + - . only. zod's documentation of email() says that it is stricter than the standards; a server that describes an address in its OpenAPI document
# doesn't ask for that. For idn-email, zod checks nothing. ajv-formats 3.0.1 accepts all of RFC 5321 that stands here.
#
# Seen:                 zod        ajv-formats
#   ann@example.com     accepts    accepts
#   r&d@example.com     refuses    accepts
#   a/b@example.com     refuses    accepts
#   x#1@example.com     refuses    accepts
#
# Rollcall accepts these, and internationalised addresses, so its OpenAPI document gives addresses no format (adapters/api/groups.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund 'zod@4.6.7' 'ajv@8.17.1' 'ajv-formats@3.0.1' >/dev/null
cat >check.mjs <<'JAVASCRIPT'
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { z } from "zod";
const schema = { type: "string", format: "email" };
const ajv = new Ajv.default();
formats.default(ajv);
const byAjv = ajv.compile(schema);
const byZod = z.fromJSONSchema(schema);
const seen = ["ann", "r&d", "a/b", "x#1"].map((name) => {
  const address = `${name}@example.com`;
  return `${address} ${byZod.safeParse(address).success} ${byAjv(address)}`;
});
console.log(seen.join("\n"));
const expected = ["ann@example.com true true", "r&d@example.com false true", "a/b@example.com false true", "x#1@example.com false true"];
const same = seen.join() === expected.join();
if (!same) console.error("zod or ajv-formats behaves otherwise now");
process.exit(same ? 0 : 1);
JAVASCRIPT
node check.mjs
