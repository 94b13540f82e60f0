#!/usr/bin/env bash
# datamodel-code-generator 0.89.0 (PyPI) for msgspec 0.22.0: no answer can be decoded as a model that has an enum with null among its values.
#
# `{"type": ["string", "null"], "enum": ["user_based", "group_based", null]}` is how JSON Schema says that a text may be missing: the values of an enum may
# be of any type, null included (draft 2020-12, Validation, 6.1.2), and without it null would be refused although the type allows it. The generator makes
# null a member of a Python Enum. Its models for pydantic and dataclasses accept that. Its models for msgspec can be imported, too, but decoding
# raises TypeError, because an Enum of msgspec's has texts only or integers only; and it does so for every answer, also for one without null.
#
# Seen (a model of a document with such a field, written for msgspec.Struct and for pydantic_v2.BaseModel):
#                               msgspec      pydantic
#   {"format": "user_based"}    TypeError    accepted
#   {"format": null}            TypeError    accepted
#   the same schema as anyOf of an enum and {"type": "null"}: accepted by all
#
# Rollcall's OpenAPI document has null beside an enum, not in it (adapters/api/openapi/document.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'datamodel-code-generator==0.89.0' 'msgspec==0.22.0' 'pydantic==2.14.4' 2>/dev/null
generate() { # name, flavour, schema of the field
  echo "{\"title\": \"Import\", \"type\": \"object\", \"required\": [\"format\"], \"properties\": {\"format\": $3}}" >"$1.json"
  venv/bin/datamodel-codegen --input "$1.json" --input-file-type jsonschema --output-model-type "$2" --output "$1.py" --target-python-version 3.11 2>/dev/null
}
inside='{"type": ["string", "null"], "enum": ["user_based", "group_based", null]}'
beside='{"anyOf": [{"type": "string", "enum": ["user_based", "group_based"]}, {"type": "null"}]}'
generate msgspec_inside msgspec.Struct "$inside"
generate pydantic_inside pydantic_v2.BaseModel "$inside"
generate msgspec_beside msgspec.Struct "$beside"
generate pydantic_beside pydantic_v2.BaseModel "$beside"
cat >decode.py <<'PYTHON'
import sys
from importlib import import_module

import msgspec

seen = {}
for name in ("msgspec_inside", "pydantic_inside", "msgspec_beside", "pydantic_beside"):
    model = import_module(name).Import
    decode = model.model_validate_json if name.startswith("pydantic") else lambda text: msgspec.json.decode(text, type=model)
    for text in ('{"format": "user_based"}', '{"format": null}'):
        try:
            decode(text)
            seen[name, text] = "accepted"
        except TypeError:
            seen[name, text] = "TypeError"
        print(name, text, seen[name, text])
expected = {key: "TypeError" if key[0] == "msgspec_inside" else "accepted" for key in seen}
sys.exit(0 if seen == expected else "datamodel-code-generator or msgspec behaves otherwise now")
PYTHON
venv/bin/python decode.py
