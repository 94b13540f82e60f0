from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from adapters.console.links import Link
from adapters.postgres.sign_ins import SignInDetails
from application.granting import Person
from application.identifying import bind_account
from application.records import Actor, Origin
from domain.access import ROLLCALL
from domain.identity import Account, identity_id
from tests.adapters.cli.terminals import environment, run

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

PUBLIC = {"ROLLCALL_PUBLIC_URL": "https://rollcall.example"}


class TestSignInLink:
    def test_prints_a_link_to_where_rollcall_is_reached_and_nothing_else(self, database: str, idle: Rollcall) -> None:
        idle.servers.register("http://127.0.0.1:8000")
        idle.servers.register("http://127.0.0.1:8321")
        for settings, where in (({}, "http://127.0.0.1:8321"), (PUBLIC, "https://rollcall.example")):
            done = run(environment(database, **settings), "sign-in-link", "Ann@Example.com")
            assert done.returncode == 0
            assert re.fullmatch(rf"{re.escape(where)}/sign-in/link/[A-Za-z0-9_-]{{43}}\n", done.stdout)
            assert "This link signs in ann@example.com. It works once, for 10 minutes." in done.stderr

    def test_says_how_to_start_a_server_if_none_is_running(self, database: str) -> None:
        """You may do it in either order: the link leads to the server that the command says to start."""
        for words in ((), ("--json",)):
            done = run(environment(database), "sign-in-link", "ann@example.com", *words)
            assert (done.returncode, "http://127.0.0.1:8000/sign-in/link/" in done.stdout) == (0, True)
            warning = r"No server is running\. Start one while the link works:\n  \S*rollcall serve\n$"
            assert re.search(warning, done.stderr)

    def test_says_nothing_of_servers_if_one_is_running(self, database: str, idle: Rollcall) -> None:
        server_id = idle.servers.register("http://127.0.0.1:8321")
        assert "server" not in run(environment(database), "sign-in-link", "ann@example.com").stderr
        idle.servers.unregister(server_id)
        assert "No server" in run(environment(database), "sign-in-link", "ann@example.com").stderr

    def test_is_for_the_canonical_address(self, database: str, idle: Rollcall) -> None:
        done = run(environment(database), "sign-in-link", " Ann@Example.com", "--json")
        document = json.loads(done.stdout)
        assert (document["email"], document["good_for_seconds"]) == ("ann@example.com", 600)
        secret = document["url"].rpartition("/")[2]
        assert idle.tickets.redeem("link", secret, Link) == Link("ann@example.com")

    def test_for_an_invalid_address_is_refused(self, database: str) -> None:
        done = run(environment(database), "sign-in-link", "ann")
        assert (done.returncode, done.stdout) == (1, "")
        assert "“ann” is not a valid e-mail address" in done.stderr


def bound(rollcall: Rollcall, email: str) -> None:
    origin = Origin(ROLLCALL, Actor("system", "sign-in", "Sign-in"), "test")
    bind_account(rollcall, origin, email, Account("https://id.example", f"account of {email}"))


class TestIdentity:
    def test_is_listed_and_released(self, database: str, rollcall: Rollcall) -> None:
        for email in ("ann@example.com", "ben@example.com"):
            bound(rollcall, email)
        environ = environment(database)
        both = run(environ, "identity", "list").stdout
        assert both.index("account of ann@example.com") < both.index("account of ben@example.com")
        (row,) = json.loads(run(environ, "identity", "list", " Ann@Example.com", "--json").stdout)
        assert (row["email"], row["issuer"]) == ("ann@example.com", "https://id.example")
        released = run(environ, "identity", "release", " Ann@Example.com").stdout
        assert "It will belong to the next account that signs in with it." in released
        assert rollcall.events.history(identity_id("ann@example.com"))[-1].origin.actor.kind == "operator"
        assert "ann@example.com" not in run(environ, "identity", "list").stdout
        again = run(environ, "identity", "release", "ann@example.com")
        assert (again.returncode, again.stdout) == (0, "ann@example.com doesn't belong to an account.\n")

    def test_is_released_for_all_addresses_at_once(self, database: str, rollcall: Rollcall) -> None:
        for email in ("ann@example.com", "ben@example.com"):
            bound(rollcall, email)
        done = run(environment(database), "identity", "release", "--all", "--json")
        assert json.loads(done.stdout) == {"released": ["ann@example.com", "ben@example.com"]}
        assert "No address belongs to an account." in run(environment(database), "identity", "release", "--all").stdout

    def test_needs_an_address_or_all(self, database: str) -> None:
        for words in ((), ("ann@example.com", "--all")):
            done = run(environment(database), "identity", "release", *words)
            assert (done.returncode, done.stdout) == (2, "")
            assert "Give an address or --all." in done.stderr


class TestSession:
    def test_is_listed_and_ended(self, database: str, rollcall: Rollcall) -> None:
        for name in ("ann", "ben"):
            person = Person(f"{name}@example.com", "")
            rollcall.sign_ins.start(
                person, SignInDetails("link", f"the browser of {name}", "192.0.2.7", proven=True), None
            )
        environ = environment(database)
        shown = run(environ, "session", "list").stdout
        assert shown.index("the browser of ben") < shown.index("the browser of ann")
        (row,) = json.loads(run(environ, "session", "list", " Ann@Example.com", "--json").stdout)
        assert (row["email"], row["way"], row["network"]) == ("ann@example.com", "link", "192.0.2.7")
        assert run(environ, "session", "end", "ann@example.com").stdout == "Ended 1 session.\n"
        assert [each.email for each in rollcall.sign_ins.of()] == ["ben@example.com"]
        assert run(environ, "session", "end", "ann@example.com").stdout == "ann@example.com wasn't signed in.\n"
        assert json.loads(run(environ, "session", "end", "--all", "--json").stdout) == {"ended": 1}
        assert run(environ, "session", "end", "--all").stdout == "No one was signed in.\n"

    def test_needs_an_address_or_all(self, database: str) -> None:
        for words in ((), ("ann@example.com", "--all")):
            done = run(environment(database), "session", "end", *words)
            assert (done.returncode, done.stdout) == (2, "")
