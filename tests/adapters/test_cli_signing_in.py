from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from adapters.web.links import Link
from tests.adapters.terminals import environment, run

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

PUBLIC = {"ROLLCALL_PUBLIC_URL": "https://rollcall.example"}


class TestSignInLink:
    def test_prints_a_link_to_where_rollcall_is_reached_and_nothing_else(self, database: str) -> None:
        for settings, where in (({}, "http://127.0.0.1:8000"), (PUBLIC, "https://rollcall.example")):
            done = run(environment(database, **settings), "sign-in-link", "Ann@Example.com")
            assert done.returncode == 0
            assert re.fullmatch(rf"{re.escape(where)}/sign-in/link/[A-Za-z0-9_-]{{43}}\n", done.stdout)
            assert "It signs in ann@example.com, once, within 10 minutes." in done.stderr

    def test_is_for_the_canonical_address(self, database: str, idle: Rollcall) -> None:
        done = run(environment(database), "sign-in-link", " Ann@Example.com", "--json")
        told = json.loads(done.stdout)
        assert (told["email"], told["good_for_seconds"]) == ("ann@example.com", 600)
        secret = told["url"].rpartition("/")[2]
        assert idle.tickets.use_up("link", secret, Link) == Link("ann@example.com")

    def test_for_no_address_is_refused(self, database: str) -> None:
        done = run(environment(database), "sign-in-link", "ann")
        assert (done.returncode, done.stdout) == (1, "")
        assert "“ann” is not an e-mail address" in done.stderr
