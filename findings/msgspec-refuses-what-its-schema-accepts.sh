#!/usr/bin/env bash
# msgspec 0.22.0 (PyPI): it refuses the integer 500.0, which is valid by the JSON Schema that msgspec itself makes of the type.
#
# In JSON Schema an integer is "any number with a zero fractional part" (draft 2020-12, Validation, 6.1.1), because JSON has only one kind of number
# (RFC 8259, section 6). Clients whose language, or whose data frame, holds numbers as floats write 500.0 or 5e2. Their check against the schema in an
# OpenAPI document passes, and the server that was generated from the same type answers "Expected `int`, got `float`". strict=False lets the numbers in,
# but with them the text "500", which the schema refuses.
#
# Seen (a struct with seats: int; the schema by msgspec, the check by jsonschema 4.25.1):
#            schema     msgspec    msgspec, strict=False
#   500      valid      decoded    decoded
#   500.0    valid      refused    decoded
#   5e2      valid      refused    decoded
#   "500"    invalid    refused    decoded
#
# Rollcall decodes numbers with a zero fractional part as integers, whatever their form (adapters/http/validation.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'msgspec==0.22.0' 'jsonschema==4.25.1' 2>/dev/null
venv/bin/python - <<'PYTHON'
import json
import sys

import jsonschema
import msgspec


class Subscription(msgspec.Struct):
    seats: int


validator = jsonschema.Draft202012Validator(msgspec.json.schema(Subscription))


def decoded(body, strict):
    try:
        return msgspec.json.decode(body, type=Subscription, strict=strict).seats == 500
    except msgspec.ValidationError:
        return False


seen = {}
for number in ("500", "500.0", "5e2", '"500"'):
    body = f'{{"seats": {number}}}'
    seen[number] = (validator.is_valid(json.loads(body)), decoded(body, True), decoded(body, False))
    print(number, *seen[number])
expected = {
    "500": (True, True, True),
    "500.0": (True, False, True),
    "5e2": (True, False, True),
    '"500"': (False, False, True),
}
sys.exit(0 if seen == expected else "msgspec behaves otherwise now")
PYTHON
