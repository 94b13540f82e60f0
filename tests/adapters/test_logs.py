"""Lines of the log that nobody can read."""

from __future__ import annotations

import io
import json
import sys

import pytest

from adapters.logs import Lines, ascii_json


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError


def test_a_line_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, Full()):
        monkeypatch.setattr(sys, "stderr", stream)
        Lines("test").info("a line")


@pytest.mark.parametrize("path", ["/groups", "/groups/Bücher\x1b[31m\u202e", "/lone/\udc80"])
def test_a_line_in_json_is_pure_ascii_and_can_be_read_again(path: str) -> None:
    line = ascii_json({"event": "request", "path": path}, default=repr)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {"event": "request", "path": path}


def test_a_line_can_have_what_json_has_not() -> None:
    line = ascii_json({"stream": Lines("test").__class__, "name": "é"}, default=lambda each: each.__name__)
    assert json.loads(line) == {"stream": "Lines", "name": "é"}
    assert ascii_json({"stream": Lines}, default=lambda each: each.__name__) == '{"stream":"Lines"}'
