from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from msgspec import Struct, structs
from psycopg.sql import SQL, Identifier

from adapters.composition import Rollcall, composed
from adapters.postgres.sign_ins import USE_NOTED_EVERY_SECONDS, SignInDetails
from application.granting import Person
from tests.conftest import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.database

ANN = Person("ann@example.com", "Ann Low")
BEN = Person("ben@example.com", "")
HERE = SignInDetails("link", "Firefox on Linux", "192.0.2.7", proven=True)


@pytest.fixture(scope="module")
def shared(module_database: str) -> Iterator[Rollcall]:
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall


@pytest.fixture
def idle(shared: Rollcall) -> Rollcall:
    """Return Rollcall without sign-ins and tickets."""
    with shared.datastore.transaction() as cursor:
        cursor.execute("DELETE FROM sessions")
        cursor.execute("DELETE FROM tickets")
    return shared


class Content(Struct, frozen=True):
    """The content of a ticket."""

    what: str


def later(rollcall: Rollcall, table: str, column: str, by: timedelta) -> None:
    """Let time pass, by moving the times of a column back."""
    with rollcall.datastore.transaction() as cursor:
        cursor.execute(
            SQL("UPDATE {} SET {column} = {column} - %s").format(Identifier(table), column=Identifier(column)), (by,)
        )


def count(rollcall: Rollcall, table: str) -> int:
    with rollcall.views() as cursor:
        cursor.execute(SQL("SELECT count(*) AS count FROM {}").format(Identifier(table)))
        (row,) = cursor
    return int(row["count"])


def person(rollcall: Rollcall, secret: str) -> Person | None:
    found = rollcall.sign_ins.find(secret)
    return found.person if found else None


class TestASignIn:
    def test_is_found_by_its_secret_only(self, idle: Rollcall) -> None:
        one, other = idle.sign_ins.start(ANN, HERE, None), idle.sign_ins.start(BEN, HERE, None)
        assert (person(idle, one), person(idle, other)) == (ANN, BEN)
        assert all(idle.sign_ins.find(each) is None for each in ("", "nonsense", one[:-1], "\ud800", "\x00"))

    def test_cannot_be_used_with_a_copy_of_the_database(self, idle: Rollcall) -> None:
        secret = idle.sign_ins.start(ANN, HERE, None)
        with idle.views() as cursor:
            cursor.execute("SELECT sessions::text AS text, encode(secret_sha256, 'escape') AS id FROM sessions")
            (row,) = cursor
        assert secret not in row["text"] + row["id"]
        assert len(secret) * 6 >= 256

    def test_has_a_new_secret_and_ends_the_previous_one_in_that_browser(self, idle: Rollcall) -> None:
        elsewhere, before = idle.sign_ins.start(ANN, HERE, None), idle.sign_ins.start(ANN, HERE, None)
        now = idle.sign_ins.start(ANN, HERE, before)
        assert now not in {before, elsewhere}
        assert [person(idle, each) for each in (elsewhere, before, now)] == [ANN, None, ANN]

    def test_never_takes_a_secret_from_the_browser(self, idle: Rollcall) -> None:
        assert idle.sign_ins.start(ANN, HERE, "made-up") != "made-up"
        assert idle.sign_ins.find("made-up") is None

    def test_ends_once(self, idle: Rollcall) -> None:
        secret = idle.sign_ins.start(ANN, HERE, None)
        assert (idle.sign_ins.end(secret), idle.sign_ins.end(secret)) == (ANN.email, None)
        assert idle.sign_ins.find(secret) is None

    def test_ends_after_a_time_without_use(self, idle: Rollcall) -> None:
        limit = idle.settings.sign_ins.idle
        secret = idle.sign_ins.start(ANN, HERE, None)
        later(idle, "sessions", "used_at", limit - timedelta(seconds=30))
        assert person(idle, secret) == ANN
        later(idle, "sessions", "used_at", limit - timedelta(seconds=30))
        assert person(idle, secret) == ANN, "the last use counts"
        later(idle, "sessions", "used_at", limit)
        assert idle.sign_ins.find(secret) is None

    def test_ends_after_a_time_in_any_case(self, idle: Rollcall) -> None:
        secret = idle.sign_ins.start(ANN, HERE, None)
        later(idle, "sessions", "started_at", idle.settings.sign_ins.absolute - timedelta(seconds=30))
        assert person(idle, secret) == ANN
        later(idle, "sessions", "started_at", timedelta(seconds=30))
        assert idle.sign_ins.find(secret) is None

    def test_is_not_written_with_every_use(self, idle: Rollcall) -> None:
        def written() -> str:
            with idle.views() as cursor:
                cursor.execute("SELECT xmin::text AS by FROM sessions")
                (row,) = cursor
            return str(row["by"])

        secret = idle.sign_ins.start(ANN, HERE, None)
        first = written()
        idle.sign_ins.find(secret)
        assert written() == first
        later(idle, "sessions", "used_at", timedelta(seconds=USE_NOTED_EVERY_SECONDS + 1))
        moved = written()
        idle.sign_ins.find(secret)
        assert written() != moved

    @pytest.mark.parametrize("column", ["used_at", "started_at"])
    def test_is_removed_after_it_has_expired(self, idle: Rollcall, column: str) -> None:
        idle.sign_ins.start(ANN, HERE, None)
        later(idle, "sessions", column, timedelta(days=8))
        idle.sign_ins.start(BEN, HERE, None)
        assert count(idle, "sessions") == 1

    def test_is_shown_with_its_details_and_an_id_that_is_no_secret(self, idle: Rollcall) -> None:
        secret = idle.sign_ins.start(ANN, HERE, None)
        (shown,) = idle.sign_ins.of(ANN.email)
        assert (shown.email, shown.way, shown.browser, shown.network, True) == (ANN.email, *structs.astuple(HERE))
        assert shown.started_at == shown.used_at
        assert idle.sign_ins.current(secret) == shown
        assert idle.sign_ins.find(str(shown.id)) is None
        assert idle.sign_ins.current(str(shown.id)) is None

    def test_is_listed_last_used_first_until_it_ends(self, idle: Rollcall) -> None:
        def browsers(email: str | None) -> list[str]:
            return [each.browser for each in idle.sign_ins.of(email)]

        limits = idle.settings.sign_ins
        for person, browser in ((ANN, "first"), (BEN, "other"), (ANN, "second"), (ANN, "unused"), (ANN, "old")):
            idle.sign_ins.start(person, structs.replace(HERE, browser=browser), None)
        older(idle, "unused", "used_at", limits.idle)
        older(idle, "old", "started_at", limits.absolute)
        assert browsers(ANN.email) == ["second", "first"]
        assert browsers(None) == ["second", "other", "first"]
        assert idle.sign_ins.signed_in() == {ANN.email, BEN.email}

    def test_can_end_others_of_the_same_person_only(self, idle: Rollcall) -> None:
        secrets = [idle.sign_ins.start(person, HERE, None) for person in (ANN, ANN, ANN, BEN)]
        here, other, third, foreign = (idle.sign_ins.current(secret) for secret in secrets)
        assert here
        assert other
        assert third
        assert foreign
        for wanted, ended in ((foreign.id, 0), (here.id, 0), (uuid4(), 0), (other.id, 1), (other.id, 0)):
            assert idle.sign_ins.end_others(here, wanted) == ended
        assert [bool(idle.sign_ins.find(each)) for each in secrets] == [True, False, True, True]
        assert idle.sign_ins.end_others(here) == 1
        assert [bool(idle.sign_ins.find(each)) for each in secrets] == [True, False, False, True]

    def test_says_whether_the_person_proved_lately_who_they_are(self, idle: Rollcall) -> None:
        unproven = structs.replace(HERE, proven=False)
        proven, vouched = (idle.sign_ins.current(idle.sign_ins.start(ANN, each, None)) for each in (HERE, unproven))
        assert proven
        assert vouched
        assert idle.sign_ins.is_proven_within(proven, timedelta(minutes=10))
        assert not idle.sign_ins.is_proven_within(vouched, timedelta(minutes=10))
        later(idle, "sessions", "started_at", timedelta(minutes=10))
        assert not idle.sign_ins.is_proven_within(proven, timedelta(minutes=10))


def older(rollcall: Rollcall, browser: str, column: str, by: timedelta) -> None:
    """Let time pass for the sign-in of one browser only."""
    with rollcall.datastore.transaction() as cursor:
        cursor.execute(
            SQL("UPDATE sessions SET {column} = {column} - %s WHERE browser = %s").format(column=Identifier(column)),
            (by, browser),
        )


class TestATicket:
    def test_cannot_be_used_with_a_copy_of_the_database(self, idle: Rollcall) -> None:
        idle.tickets.issue("link", "secret", Content("x"), timedelta(minutes=1))
        with idle.views() as cursor:
            cursor.execute("SELECT tickets::text AS text, encode(secret_sha256, 'escape') AS id FROM tickets")
            (row,) = cursor
        assert "secret" not in row["text"] + row["id"]

    def test_works_once(self, idle: Rollcall) -> None:
        idle.tickets.issue("link", "secret", Content("x"), timedelta(minutes=1))
        assert idle.tickets.redeem("link", "secret", Content) == Content("x")
        assert idle.tickets.redeem("link", "secret", Content) is None

    def test_works_for_only_one_of_many_at_once(self, idle: Rollcall) -> None:
        for number in range(5):
            secret = f"secret {number}"
            idle.tickets.issue("link", secret, Content("x"), timedelta(minutes=1))
            with ThreadPoolExecutor(6) as threads:
                found = list(threads.map(lambda _, at=secret: idle.tickets.redeem("link", at, Content), range(6)))
            assert sorted(each is not None for each in found) == [False] * 5 + [True]

    def test_works_for_its_own_kind_only(self, idle: Rollcall) -> None:
        idle.tickets.issue("link", "secret", Content("x"), timedelta(minutes=1))
        assert idle.tickets.redeem("oidc", "secret", Content) is None
        assert idle.tickets.redeem("link", "secret", Content) == Content("x")

    def test_expires_and_is_removed_with_the_next_one(self, idle: Rollcall) -> None:
        for secret in ("one", "other"):
            idle.tickets.issue("link", secret, Content("x"), timedelta(minutes=1))
        later(idle, "tickets", "expires_at", timedelta(minutes=1))
        assert idle.tickets.redeem("link", "one", Content) is None
        idle.tickets.issue("link", "third", Content("x"), timedelta(minutes=1))
        assert count(idle, "tickets") == 1
