from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from application.identifying import bind_account, release_identity
from application.recorded import Actor, Origin
from domain.access import ROLLCALL
from domain.errors import EmailInvalid, IdentityTaken
from domain.identity import Account, IdentityBound, identity_id
from projections import access, audit_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from projections.access import IdentityRow

pytestmark = pytest.mark.database

ANN = "ann@example.com"
OPERATING = Origin(ROLLCALL, Actor("operator", "root", "root"), "test")
HERS, HIS = Account("https://id.example", "1"), Account("https://id.example", "2")


def listed(rollcall: Rollcall, email: str | None = None) -> list[IdentityRow]:
    with rollcall.reading() as cursor:
        return access.identities(cursor, email=email)


def binds(rollcall: Rollcall, account: Account) -> bool:
    """Return whether an account may sign in with Ann's address."""
    try:
        bind_account(rollcall.ports, OPERATING, ANN, account)
    except IdentityTaken:
        return False
    return True


class TestAnAddress:
    def test_belongs_to_one_account_until_it_is_released(self, rollcall: Rollcall) -> None:
        assert [binds(rollcall, each) for each in (HERS, HIS, HERS)] == [True, False, True]
        assert release_identity(rollcall.ports, OPERATING, " Ann@Example.com ")
        assert release_identity(rollcall.ports, OPERATING, ANN) is None
        assert [binds(rollcall, each) for each in (HIS, HERS)] == [True, False]
        assert [type(each.event).__name__ for each in rollcall.events.history(identity_id(ANN))] == [
            "IdentityBound",
            "IdentityReleased",
            "IdentityBound",
        ]

    def test_belongs_to_exactly_one_of_many_that_come_first_at_once(
        self, idle: Rollcall, compose: Callable[[], Rollcall], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
        processes = (idle, compose())
        accounts = [Account("https://id.example", str(number)) for number in range(6)]
        with ThreadPoolExecutor(len(accounts)) as threads:
            won = list(threads.map(lambda each: binds(processes[accounts.index(each) % 2], each), accounts))
        assert sorted(won) == [False] * 5 + [True]
        (bound,) = idle.events.history(identity_id(ANN))
        assert isinstance(bound.event, IdentityBound)
        assert bound.event.subject == accounts[won.index(True)].subject

    def test_belongs_to_whoever_was_faster_while_it_was_decided(
        self, rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load = rollcall.events.load

        def others_are_faster(*asked: Any) -> Any:
            found = load(*asked)
            monkeypatch.undo()
            assert binds(rollcall, HIS)
            return found

        monkeypatch.setattr(rollcall.events, "load", others_are_faster)
        assert not binds(rollcall, HERS)

    def test_is_listed_with_its_account(self, rollcall: Rollcall) -> None:
        binds(rollcall, HERS)
        bind_account(rollcall.ports, OPERATING, "ben@example.com", HIS)
        assert [(row.email, row.issuer, row.subject) for row in listed(rollcall)] == [
            (ANN, HERS.issuer, "1"),
            ("ben@example.com", HIS.issuer, "2"),
        ]
        assert [row.subject for row in listed(rollcall, ANN)] == ["1"]
        release_identity(rollcall.ports, OPERATING, ANN)
        assert listed(rollcall, ANN) == []

    def test_that_is_none_is_refused(self, rollcall: Rollcall) -> None:
        with pytest.raises(EmailInvalid):
            release_identity(rollcall.ports, OPERATING, "nonsense")

    def test_is_in_the_log_of_operators_when_it_is_bound_and_when_it_is_released(self, rollcall: Rollcall) -> None:
        binds(rollcall, HERS)
        release_identity(rollcall.ports, OPERATING, ANN)
        with rollcall.reading() as cursor:
            told = audit_log.operators_log(cursor, audit_log.AuditFilter(email=ANN))
        assert [(row.type, row.text) for row in told] == [
            ("IdentityReleased", f"Released {ANN} from the account “1” of https://id.example"),
            ("IdentityBound", f"Bound {ANN} to the account “1” of https://id.example"),
        ]
