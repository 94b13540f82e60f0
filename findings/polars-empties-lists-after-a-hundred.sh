#!/usr/bin/env bash
# polars 2.1.0 (PyPI): where the lists of a hundred lines are empty, each text in those of later lines becomes null, without a word.
#
# read_ndjson and scan_ndjson infer the types of columns from the first 100 lines. A value further down that doesn't fit raises; only with
# ignore_errors=True does it become null (documentation of read_ndjson; polars' pull request 21953 made it so). A text where there was null before, a text
# among numbers, and an object in a list that was empty do raise. But a list of texts, where all lists were empty before, is read as one of as many nulls.
# An empty list says nothing about the type of others (RFC 8259, section 5: "no requirement that the values in an array be of the same type").
# read_json, which reads the same records as a JSON array, raises. infer_schema_length=None, or a schema, prevents it.
#
# Seen (the last of the lines, with 99 and with 100 others before it):
#   "users": [], then "users": ["ann@example.com"]     ['ann@example.com']    [None]
#   "users": [], then "users": [{"id": "ann"}]         [{'id': 'ann'}]        ComputeError
#   "owner": null, then "owner": "ann@example.com"     ann@example.com        ComputeError
#
# Rollcall's exports as lines of JSON have such lists: docs/importing.md, "Exports", says what to pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'polars==2.1.0' 2>/dev/null
venv/bin/python - <<'PYTHON'
import json
import sys
from io import BytesIO

import polars


def last(read, early, late, count, **options):
    lines = "\n".join(json.dumps({"name": f"Group {number}"} | values) for number, values in enumerate([early] * count + [late]))
    try:
        (key,) = late
        return read(BytesIO(lines.encode()), **options)[key].to_list()[-1]
    except polars.exceptions.ComputeError:
        return "ComputeError"


def scanned(lines, **options):
    return polars.scan_ndjson(lines, **options).collect()


cases = {
    "a list of texts": ({"users": []}, {"users": ["ann@example.com"]}),
    "a list of objects": ({"users": []}, {"users": [{"id": "ann"}]}),
    "a text": ({"owner": None}, {"owner": "ann@example.com"}),
}
counts = (99, 100)
seen = {name: [last(polars.read_ndjson, *case, count) for count in counts] for name, case in cases.items()}
for name, values in seen.items():
    print(f"{name}: {values[0]} after 99 lines, {values[1]} after 100")
lists = cases["a list of texts"]
seen["scanned"] = [last(scanned, *lists, count) for count in counts]
seen["of all lines"] = [last(read, *lists, 100, infer_schema_length=None) for read in (polars.read_ndjson, scanned)]
expected = {
    "a list of texts": [["ann@example.com"], [None]],
    "a list of objects": [[{"id": "ann"}], "ComputeError"],
    "a text": ["ann@example.com", "ComputeError"],
    "scanned": [["ann@example.com"], [None]],
    "of all lines": [["ann@example.com"]] * 2,
}
sys.exit(0 if seen == expected else "polars behaves otherwise now")
PYTHON
