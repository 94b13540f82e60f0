#!/usr/bin/env bash
# cloudevents 2.2.0 (PyPI): an event whose data is a JSON array is sent on as ['ann@example.com', True, None], under Content-Type: application/json.
#
# "data" may be any JSON value, not only an object (CloudEvents 1.0.2, JSON format, 3.1.1), and the last example of section 3.2 there shows how a text
# is written in HTTP's binary mode: as a JSON text, in quotation marks. The official SDK reads arrays, texts and true in structured mode, and arrays in
# binary mode. Its to_binary_event writes objects as JSON, bytes as they are, and all else as Python's str() does. No error is raised, and from_http_event
# takes what isn't JSON for a text, so that the next receiver has a text of letters and brackets for a list, or the number 5 for the text "5".
# to_structured_event writes the same data right, and so does the interface of version 1, which the package still has.
#
# Seen (data that was read in structured mode; the body in binary mode; the data that from_http_event reads from it):
#   {"users": ["ann@example.com", true, null]}   {"users": ["ann@example.com", true, null]}   the same
#   ["ann@example.com", true, null]              ['ann@example.com', True, None]              a text
#   "5"                                          5                                            a number
#   true                                         True                                         a text
#
# The data of Rollcall's events is always an object, as its OpenAPI document says (projections/group_events.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'cloudevents==2.2.0' 2>/dev/null
venv/bin/python -W ignore - <<'PYTHON'
import sys
from json import dumps, loads

from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.v1 import http as version_1

EVENT = {"specversion": "1.0", "id": "1", "source": "/lists", "type": "list.sent", "datacontenttype": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
LIST = ["ann@example.com", True, None]


def outcome(data):
    sent = dumps(EVENT | {"data": data})
    event = from_http_event(HTTPMessage(STRUCTURED, sent.encode()))
    assert event.get_data() == data
    assert loads(to_structured_event(event).body)["data"] == data
    assert loads(version_1.to_binary(version_1.from_http(STRUCTURED, sent))[1]) == data
    binary = to_binary_event(event)
    assert binary.headers["content-type"] == "application/json"
    return binary.body.decode(), from_http_event(binary).get_data()


read = HTTPMessage({f"ce-{name}": EVENT[name] for name in ("specversion", "id", "source", "type")} | {"content-type": "application/json"}, dumps(LIST).encode())
assert from_http_event(read).get_data() == LIST
seen = [outcome(data) for data in ({"users": LIST}, LIST, "5", True)]
for body, again in seen:
    print(f"{body}    read again: {again!r}")
written = "['ann@example.com', True, None]"
expected = [('{"users": ["ann@example.com", true, null]}', {"users": LIST}), (written, written), ("5", 5), ("True", "True")]
sys.exit(0 if seen == expected else "cloudevents behaves otherwise now")
PYTHON
