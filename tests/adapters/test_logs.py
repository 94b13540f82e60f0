"""Lines of the log that nobody can read."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from adapters.logs import Lines

if TYPE_CHECKING:
    import pytest


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
