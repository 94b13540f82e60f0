from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from application.identifying import bind_account, end_sign_ins, release_identity
from application.records import Actor, Origin
from domain.access import ROLLCALL
from domain.errors import EmailInvalid, IdentityTaken
from domain.identity import Account, IdentityBound, IdentityReleased, SessionsEnded, identity_id

if TYPE_CHECKING:
    from adapters.memory.ports import MemoryPorts
    from application.records import Event

ANN, BEN = "ann@example.com", "ben@example.com"
OPERATING = Origin(ROLLCALL, Actor("operator", "root", "root"), "test")
HERS, HIS = Account("https://id.example", "1"), Account("https://id.example", "2")


def signed_in(ports: MemoryPorts, *emails: str) -> list[str]:
    """Sign people in, and return the secrets of their sign-ins."""
    return [ports.sign_ins.start(email) for email in emails]


def last(ports: MemoryPorts, secrets: list[str]) -> list[bool]:
    """Return which sign-ins have not ended."""
    return [ports.sign_ins.find(each) is not None for each in secrets]


def binds(ports: MemoryPorts, account: Account) -> bool:
    """Return whether an account may sign in with Ann's address."""
    try:
        bind_account(ports, OPERATING, ANN, account)
    except IdentityTaken:
        return False
    return True


def recorded(ports: MemoryPorts, email: str = ANN) -> list[Event]:
    return [each.event for each in ports.events.history(identity_id(email))]


class TestAnAddress:
    def test_belongs_to_one_account_until_it_is_released(self, ports: MemoryPorts) -> None:
        assert [binds(ports, each) for each in (HERS, HIS, HERS)] == [True, False, True]
        assert release_identity(ports, OPERATING, " Ann@Example.com ").changed
        assert not release_identity(ports, OPERATING, ANN).changed
        assert [binds(ports, each) for each in (HIS, HERS)] == [True, False]
        assert [type(each) for each in recorded(ports)] == [IdentityBound, IdentityReleased, IdentityBound]

    def test_belongs_to_exactly_one_of_many_accounts_that_come_first_at_once(self, ports: MemoryPorts) -> None:
        accounts = [Account("https://id.example", str(number)) for number in range(6)]
        with ThreadPoolExecutor(len(accounts)) as threads:
            won = list(threads.map(lambda each: binds(ports, each), accounts))
        assert sorted(won) == [False] * 5 + [True]
        (bound,) = recorded(ports)
        assert isinstance(bound, IdentityBound)
        assert bound.subject == accounts[won.index(True)].subject

    def test_belongs_to_the_account_that_was_faster(self, ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
        load = ports.events.load

        def load_and_be_overtaken(*arguments: Any) -> Any:
            found = load(*arguments)
            monkeypatch.undo()
            assert binds(ports, HIS)
            return found

        monkeypatch.setattr(ports.events, "load", load_and_be_overtaken)
        assert not binds(ports, HERS)

    def test_must_be_valid(self, ports: MemoryPorts) -> None:
        with pytest.raises(EmailInvalid):
            release_identity(ports, OPERATING, "nonsense")


class TestSignIns:
    def test_of_one_address_are_ended_and_that_is_recorded(self, ports: MemoryPorts) -> None:
        secrets = signed_in(ports, ANN, ANN, BEN)
        assert end_sign_ins(ports, OPERATING, " Ann@Example.com ") == 2
        assert last(ports, secrets) == [False, False, True]
        assert end_sign_ins(ports, OPERATING, ANN) == 0
        (record,) = ports.events.history(identity_id(ANN))
        assert (record.event, record.origin) == (SessionsEnded(ANN), OPERATING)

    def test_of_everybody_are_ended_at_once(self, ports: MemoryPorts) -> None:
        secrets = signed_in(ports, ANN, BEN, ANN)
        binds(ports, HERS)
        head = ports.events.head()
        assert end_sign_ins(ports, OPERATING) == 3
        assert last(ports, secrets) == [False, False, False]
        assert end_sign_ins(ports, OPERATING) == 0
        assert [each.event for each in ports.events.read_log(head, 10)] == [SessionsEnded(ANN), SessionsEnded(BEN)]
        assert not binds(ports, HIS), "the address still belongs to its account"

    def test_of_an_address_are_ended_when_it_is_released_and_others_are_not(self, ports: MemoryPorts) -> None:
        binds(ports, HERS)
        secrets = signed_in(ports, ANN, BEN)
        release_identity(ports, OPERATING, ANN)
        assert last(ports, secrets) == [False, True]

    def test_of_an_invalid_address_cannot_be_ended(self, ports: MemoryPorts) -> None:
        with pytest.raises(EmailInvalid):
            end_sign_ins(ports, OPERATING, "nonsense")
