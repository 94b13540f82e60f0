#!/usr/bin/env bash
# openapi-generator-cli 7.26.0 (PyPI, over Java 17): of a choice of objects that is written as anyOf with a discriminator, it makes one object with all their fields.
#
# A discriminator names the field that tells which of several schemas a value has, and may stand beside oneOf or anyOf (OpenAPI 3.1.1, 4.8.25 "Discriminator
# Object"). If that field has another value in each, both say the same, and generators of documents write anyOf, as msgspec does for its tagged unions.
# With oneOf, these clients are right. With anyOf, the one for TypeScript (fetch) doesn't compile. The one for Rust does, but each variant of its enum has
# the fields of all: a rename can't be written without an address, it is sent with one, which a server that knows no such field refuses, and a rename
# that a server sends can't be read ("missing field"). Clients for Python are right with both. Generating warns of nothing.
#
# Seen (Rename has a name, Remove an address; what the compiler for TypeScript says, and the fields of the variant Rename in Rust):
#            tsc              Rust
#   oneOf    nothing          Rename(Box<models::Rename>)
#   anyOf    error TS2741     name, address
#
# Rollcall's OpenAPI document has oneOf for the edits of an import (adapters/api/openapi/document.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'openapi-generator-cli==7.26.0' 2>/dev/null
npm install --silent --no-audit --no-fund 'typescript@5.9.3' >/dev/null
write() { # oneOf or anyOf
	cat >"$1.json" <<JSON
{
  "openapi": "3.1.0", "info": {"title": "Edits", "version": "1"},
  "paths": {"/edits": {"post": {
    "operationId": "edit",
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"\$ref": "#/components/schemas/Edit"}}}},
    "responses": {"204": {"description": "Edited"}}
  }}},
  "components": {"schemas": {
    "Edit": {
      "$1": [{"\$ref": "#/components/schemas/Rename"}, {"\$ref": "#/components/schemas/Remove"}],
      "discriminator": {"propertyName": "kind", "mapping": {"rename": "#/components/schemas/Rename", "remove": "#/components/schemas/Remove"}}
    },
    "Rename": {"type": "object", "required": ["kind", "name"],
      "properties": {"kind": {"type": "string", "enum": ["rename"]}, "name": {"type": "string"}}},
    "Remove": {"type": "object", "required": ["kind", "address"],
      "properties": {"kind": {"type": "string", "enum": ["remove"]}, "address": {"type": "string"}}}
  }}
}
JSON
}
for kind in oneOf anyOf; do
	write "$kind"
	for language in typescript-fetch rust; do
		venv/bin/openapi-generator-cli generate -i "$kind.json" -g "$language" -o "$kind/$language" >/dev/null 2>&1
	done
	said=$(npx tsc --noEmit --strict --skipLibCheck --target es2022 --module commonjs --lib es2022,dom "$kind/typescript-fetch/index.ts" | grep -o 'error TS[0-9]*' | head -1 || true)
	variant=$(awk '/^    Rename/ { on = 1 } on { print } on && /\)?,$/ && /^    [}R]/ { exit }' "$kind/rust/src/models/edit.rs" | grep -oE 'Rename\(.*\)|^ +[a-z]+:' | sed -E 's/^ +([a-z]+):/\1/' | paste -sd' ')
	echo "$kind: ${said:-nothing}; $variant"
done | tee seen
diff seen - <<'TEXT' || { echo "openapi-generator behaves otherwise now" >&2; exit 1; }
oneOf: nothing; Rename(Box<models::Rename>)
anyOf: error TS2741; name address
TEXT
