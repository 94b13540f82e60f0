from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from adapters.postgres.sign_ins import SignInDetails
from application.granting import Person
from application.identifying import bind_account, end_sessions, release_identity
from application.records import Actor, Origin
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


def signed_in(rollcall: Rollcall, *emails: str) -> list[str]:
    """Sign people in, and return their sessions' secrets."""
    details = SignInDetails("oidc", "Firefox on Linux", "192.0.2.7", proven=True)
    return [rollcall.sign_ins.start(Person(email, ""), details, None) for email in emails]


def last(over: Rollcall, secrets: list[str]) -> list[bool]:
    """Return which sessions last."""
    return [over.sign_ins.find(each) is not None for each in secrets]


def listed(rollcall: Rollcall, email: str | None = None) -> list[IdentityRow]:
    with rollcall.views() as cursor:
        return access.identities(cursor, email=email)


def binds(rollcall: Rollcall, account: Account) -> bool:
    """Return whether an account may sign in with Ann's address."""
    try:
        bind_account(rollcall, OPERATING, ANN, account)
    except IdentityTaken:
        return False
    return True


class TestAnAddress:
    def test_belongs_to_one_account_until_it_is_released(self, rollcall: Rollcall) -> None:
        assert [binds(rollcall, each) for each in (HERS, HIS, HERS)] == [True, False, True]
        assert release_identity(rollcall, OPERATING, " Ann@Example.com ")
        assert release_identity(rollcall, OPERATING, ANN) is None
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
        bind_account(rollcall, OPERATING, "ben@example.com", HIS)
        assert [(row.email, row.issuer, row.subject) for row in listed(rollcall)] == [
            (ANN, HERS.issuer, "1"),
            ("ben@example.com", HIS.issuer, "2"),
        ]
        assert [row.subject for row in listed(rollcall, ANN)] == ["1"]
        release_identity(rollcall, OPERATING, ANN)
        assert listed(rollcall, ANN) == []

    def test_that_is_none_is_refused(self, rollcall: Rollcall) -> None:
        with pytest.raises(EmailInvalid):
            release_identity(rollcall, OPERATING, "nonsense")

    def test_is_in_the_log_of_operators_when_it_is_bound_and_when_it_is_released(self, rollcall: Rollcall) -> None:
        binds(rollcall, HERS)
        release_identity(rollcall, OPERATING, ANN)
        with rollcall.views() as cursor:
            told = audit_log.operators_log(cursor, audit_log.AuditFilter(email=ANN))
        assert [(row.type, row.text) for row in told] == [
            ("IdentityReleased", f"Unlinked {ANN} from account “1” at https://id.example"),
            ("IdentityBound", f"Linked {ANN} to account “1” at https://id.example"),
        ]


class TestSessions:
    def test_of_one_address_are_ended_in_every_process_and_that_is_on_record(
        self, rollcall: Rollcall, compose: Callable[[], Rollcall]
    ) -> None:
        elsewhere = compose()
        secrets = signed_in(rollcall, ANN, ANN, "ben@example.com")
        assert end_sessions(rollcall, OPERATING, " Ann@Example.com ") == 2
        assert last(elsewhere, secrets) == [False, False, True]
        assert end_sessions(rollcall, OPERATING, ANN) == 0
        with rollcall.views() as cursor:
            (told,) = audit_log.operators_log(cursor, audit_log.AuditFilter(types=("SessionsEnded",)))
        assert (told.text, told.actor.kind) == (f"Signed {ANN} out everywhere", "operator")

    def test_of_everybody_are_ended_at_once(self, rollcall: Rollcall) -> None:
        secrets = signed_in(rollcall, ANN, "ben@example.com", ANN)
        binds(rollcall, HERS)
        assert end_sessions(rollcall, OPERATING) == 3
        assert last(rollcall, secrets) == [False, False, False]
        assert end_sessions(rollcall, OPERATING) == 0
        with rollcall.views() as cursor:
            told = audit_log.operators_log(cursor, audit_log.AuditFilter(types=("SessionsEnded",)))
        assert sorted(row.text for row in told) == [
            f"Signed {ANN} out everywhere",
            "Signed ben@example.com out everywhere",
        ]
        assert not binds(rollcall, HIS), "the address stays whose it was"

    def test_are_ended_with_the_release_of_their_address_and_others_are_not(self, rollcall: Rollcall) -> None:
        binds(rollcall, HERS)
        secrets = signed_in(rollcall, ANN, "ben@example.com")
        release_identity(rollcall, OPERATING, ANN)
        assert last(rollcall, secrets) == [False, True]

    def test_of_no_address_are_refused(self, rollcall: Rollcall) -> None:
        with pytest.raises(EmailInvalid):
            end_sessions(rollcall, OPERATING, "nonsense")
