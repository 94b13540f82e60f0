from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.cli.terminals import environment, run
from tests.conftest import subscribed, working

if TYPE_CHECKING:
    from adapters.composition import Rollcall

ANN, BEN = "ann@example.com", "ben@example.com"


class Contoso:
    """A subscription that licenses Ann and Ben, and commands about it."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ

    def said(self, *words: str, code: int = 0) -> str:
        """Return what a command tells people."""
        done = run(self._environ, *words, "-s", "Contoso")
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def noted(self, *words: str) -> str:
        """Return what a command tells people beside its output."""
        done = run(self._environ, *words, "-s", "Contoso")
        assert done.returncode == 0, done.stderr
        return done.stderr

    def document(self, *words: str, code: int = 0) -> Any:
        """Return what a command tells machines."""
        done = run(self._environ, *words, "-s", "Contoso", "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def environ(database: str) -> dict[str, str]:
    return environment(database)


@pytest.fixture
def contoso(environ: dict[str, str], idle: Rollcall) -> Contoso:
    with working(idle):
        subscribed(idle, ANN, BEN, seats=3)
    return Contoso(environ)
