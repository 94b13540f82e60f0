from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from application import granting
from application.granting import (
    Bearer,
    NewToken,
    Person,
    Principal,
    bearer,
    grant_access,
    issue_token,
    revoke_access,
    roles,
)
from application.ports import RequestKey
from application.records import Actor, Origin
from domain.access import ROLLCALL, Role, TokenIssued, access_id, token_text
from domain.errors import EmailInvalid, ExpiryInvalid, KeyReused, NotFound, RoleOutOfScope
from tests.conftest import ANN as ADMINISTRATOR
from tests.conftest import subscribed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.memory.ports import MemoryPorts

ANN = Person("ann@example.com", "Ann")
OPERATING = Origin(ROLLCALL, Actor("operator", "root", "root"), "test")
SECRET = bytes(range(32))


@pytest.fixture
def origin(ports: MemoryPorts) -> Origin:
    return subscribed(ports)


def issued(
    ports: MemoryPorts,
    origin: Origin,
    *,
    role: Role = "consumer",
    by: Principal | None = None,
    expires_at: datetime | None = None,
) -> str:
    token_id = uuid4()
    issue_token(ports, origin, token_id, SECRET, NewToken("Sync", role, expires_at, by))
    return token_text(token_id, SECRET)


def valid(ports: MemoryPorts, text: str) -> Bearer:
    found = bearer(ports, text)
    assert found
    return found


def generations(ports: MemoryPorts, origin: Origin, first: str) -> list[str]:
    """Return a token and three more, each issued with the one before."""
    texts = [first]
    for _ in range(3):
        texts.append(issued(ports, origin, role="administrator", by=valid(ports, texts[-1])))
    return texts


def validity(ports: MemoryPorts, texts: Iterable[str]) -> list[bool]:
    return [bearer(ports, text) is not None for text in texts]


def held(ports: MemoryPorts, person: Person, *scopes: UUID) -> list[set[str]]:
    return [set(each) for each in roles(ports, person, scopes).values()]


class TestAPerson:
    def test_has_the_roles_that_were_granted_in_each_scope(self, ports: MemoryPorts, origin: Origin) -> None:
        other = subscribed(ports)
        grant_access(ports, origin, " Ann@EXAMPLE.com ", "auditor")
        grant_access(ports, other, ANN.email, "consumer")
        grant_access(ports, other, ANN.email, "administrator")
        scopes = (origin.subscription_id, other.subscription_id, ROLLCALL)
        assert held(ports, ANN, *scopes) == [{"auditor"}, {"consumer", "administrator"}, set()]
        assert held(ports, Person("ben@example.com", ""), *scopes) == [set(), set(), set()]

    def test_loses_a_role_as_soon_as_it_is_revoked(self, ports: MemoryPorts, origin: Origin) -> None:
        for role in ("auditor", "consumer"):
            grant_access(ports, origin, ANN.email, role)
        assert held(ports, ANN, origin.subscription_id) == [{"auditor", "consumer"}]
        revoke_access(ports, origin, ANN.email, "auditor")
        assert held(ports, ANN, origin.subscription_id) == [{"consumer"}]
        revoke_access(ports, origin, ANN.email)
        assert held(ports, ANN, origin.subscription_id) == [set()]

    def test_is_granted_or_revoked_nothing_that_changes_nothing(self, ports: MemoryPorts, origin: Origin) -> None:
        def version() -> int:
            return ports.events.versions([stream]).get(stream, 0)

        stream = access_id(origin.subscription_id, ANN.email)
        assert not revoke_access(ports, origin, ANN.email).changed
        assert grant_access(ports, origin, ANN.email, "auditor").changed
        assert not grant_access(ports, origin, ANN.email, "auditor").changed
        assert version() == 1
        assert not revoke_access(ports, origin, ANN.email, "consumer").changed
        assert revoke_access(ports, origin, ANN.email).changed
        assert not revoke_access(ports, origin, ANN.email).changed
        assert version() == 2

    def test_cannot_be_granted_anything_invalid(self, ports: MemoryPorts, origin: Origin) -> None:
        with pytest.raises(EmailInvalid):
            grant_access(ports, origin, "nonsense", "auditor")
        with pytest.raises(RoleOutOfScope):
            grant_access(ports, origin, ANN.email, "operator")
        with pytest.raises(RoleOutOfScope):
            grant_access(ports, OPERATING, ANN.email, "auditor")
        nowhere = replace(origin, subscription_id=uuid4())
        for use in (grant_access, revoke_access):
            with pytest.raises(NotFound, match="no subscription"):
                use(ports, nowhere, ANN.email, "auditor")


class TestAToken:
    def test_grants_its_role_in_its_scope_alone(self, ports: MemoryPorts, origin: Origin) -> None:
        found = bearer(ports, issued(ports, origin))
        assert found
        assert (found.name, found.role, found.scope) == ("Sync", "consumer", origin.subscription_id)
        other = subscribed(ports).subscription_id
        assert roles(ports, found, {origin.subscription_id, other, ROLLCALL}) == {
            origin.subscription_id: {"consumer"},
            other: frozenset(),
            ROLLCALL: frozenset(),
        }

    def test_is_invalid_as_soon_as_it_is_revoked(self, ports: MemoryPorts, origin: Origin) -> None:
        text = issued(ports, origin)
        found = bearer(ports, text)
        assert found
        granting.revoke_token(ports, origin, found.token_id)
        assert bearer(ports, text) is None
        assert granting.revoke_token(ports, origin, found.token_id).version == 2, "revoking it again changes nothing"

    def test_is_valid_until_it_expires(self, ports: MemoryPorts, origin: Origin) -> None:
        end = datetime.now(UTC) + timedelta(days=1)
        text = issued(ports, origin, expires_at=end)
        assert bearer(ports, text)
        assert bearer(dataclasses.replace(ports, now=lambda: end), text) is None

    def test_is_valid_only_as_long_as_its_issuer_may_issue_it(self, ports: MemoryPorts, origin: Origin) -> None:
        text = issued(ports, origin, by=ANN)
        assert bearer(ports, text) is None
        table: tuple[tuple[Role, bool], ...] = (("consumer", False), ("auditor", False), ("administrator", True))
        for role, valid in table:
            grant_access(ports, origin, ANN.email, role)
            assert bool(bearer(ports, text)) == valid
        revoke_access(ports, origin, ANN.email, "administrator")
        assert bearer(ports, text) is None
        grant_access(ports, OPERATING, ANN.email, "operator")
        assert bearer(ports, text)

    def test_needs_its_own_secret_and_its_own_id(self, ports: MemoryPorts, origin: Origin) -> None:
        found = bearer(ports, issued(ports, origin))
        assert found
        for token_id in (found.token_id, origin.subscription_id, uuid4()):
            assert bearer(ports, token_text(token_id, bytes(32))) is None
        assert bearer(ports, token_text(origin.subscription_id, SECRET)) is None
        assert bearer(ports, "") is None

    def test_is_issued_once_under_a_key(self, ports: MemoryPorts, origin: Origin) -> None:
        token_id, new = uuid4(), NewToken("Sync", "consumer", None)
        request = RequestKey("key", uuid4())
        assert issue_token(ports, origin, token_id, SECRET, new, request)
        assert issue_token(ports, origin, token_id, bytes(32), new, request) is None
        assert bearer(ports, token_text(token_id, SECRET)), "the first secret stays"
        with pytest.raises(KeyReused):
            issue_token(ports, origin, token_id, SECRET, new, RequestKey("key", uuid4()))

    def test_is_not_issued_again_once_the_key_is_forgotten(self, ports: MemoryPorts, origin: Origin) -> None:
        """The id of the token is made of the key, so it's taken."""
        token_id, new = uuid4(), NewToken("Sync", "consumer", None)
        assert issue_token(ports, origin, token_id, SECRET, new)
        with pytest.raises(KeyReused):
            issue_token(ports, origin, token_id, bytes(32), new, RequestKey("key", uuid4()))
        assert bearer(ports, token_text(token_id, SECRET))

    def test_is_found_in_its_scope_alone(self, ports: MemoryPorts, origin: Origin) -> None:
        found = bearer(ports, issued(ports, origin))
        assert isinstance(found, Bearer)
        assert granting.scope_of_token(ports, found.token_id) == origin.subscription_id
        for elsewhere, token_id in ((subscribed(ports), found.token_id), (origin, origin.subscription_id)):
            with pytest.raises(NotFound, match="no token"):
                granting.revoke_token(ports, elsewhere, token_id)
        for token_id in (origin.subscription_id, uuid4()):
            with pytest.raises(NotFound, match="no token"):
                granting.scope_of_token(ports, token_id)

    def test_cannot_be_issued_with_anything_invalid(self, ports: MemoryPorts, origin: Origin) -> None:
        with pytest.raises(RoleOutOfScope):
            issued(ports, origin, role="operator")
        with pytest.raises(ExpiryInvalid):
            issued(ports, origin, expires_at=datetime.now(UTC))
        with pytest.raises(NotFound, match="no subscription"):
            issued(ports, Origin(uuid4(), ADMINISTRATOR, "test"))

    def test_keeps_its_secret(self, ports: MemoryPorts, origin: Origin) -> None:
        text = issued(ports, origin)
        found = bearer(ports, text)
        assert found
        (first,) = ports.events.history(found.token_id)
        assert isinstance(first.event, TokenIssued)
        assert SECRET.hex() not in repr(first)
        assert text not in repr(first)


class TestATokenIssuedWithAnother:
    @pytest.mark.parametrize("ended", range(4))
    def test_is_valid_until_one_of_its_ancestors_is_revoked(
        self, ports: MemoryPorts, origin: Origin, ended: int
    ) -> None:
        texts = generations(ports, origin, issued(ports, origin, role="administrator"))
        assert validity(ports, texts) == [True] * 4
        granting.revoke_token(ports, origin, valid(ports, texts[ended]).token_id)
        assert validity(ports, texts) == [number < ended for number in range(4)]

    def test_is_not_valid_if_its_parent_was_revoked_while_it_was_issued(
        self, ports: MemoryPorts, origin: Origin
    ) -> None:
        parent = valid(ports, issued(ports, origin, role="administrator"))
        granting.revoke_token(ports, origin, parent.token_id)
        assert bearer(ports, issued(ports, origin, by=parent)) is None

    def test_is_revoked_across_scopes(self, ports: MemoryPorts, origin: Origin) -> None:
        operators = issued(ports, OPERATING, role="operator")
        texts = generations(ports, origin, operators)
        assert validity(ports, texts) == [True] * 4
        granting.revoke_token(ports, OPERATING, valid(ports, operators).token_id)
        assert validity(ports, texts) == [False] * 4

    def test_expires_with_its_parent(self, ports: MemoryPorts, origin: Origin) -> None:
        end = datetime.now(UTC) + timedelta(days=1)
        texts = generations(ports, origin, issued(ports, origin, role="administrator", expires_at=end))
        assert [valid(ports, text).expires_at for text in texts] == [end] * 4
        assert validity(dataclasses.replace(ports, now=lambda: end), texts) == [False] * 4

    def test_depends_on_the_person_who_issued_the_first(self, ports: MemoryPorts, origin: Origin) -> None:
        grant_access(ports, origin, ANN.email, "administrator")
        texts = generations(ports, origin, issued(ports, origin, role="administrator", by=ANN))
        assert {valid(ports, text).issuer for text in texts} == {ANN.email}
        revoke_access(ports, origin, ANN.email)
        assert validity(ports, texts) == [False] * 4

    def test_depends_on_that_persons_access_where_each_ancestor_was_issued(
        self, ports: MemoryPorts, origin: Origin
    ) -> None:
        """Ann stays an administrator here, but may no longer issue the operator's token that it was issued with."""
        grant_access(ports, OPERATING, ANN.email, "operator")
        grant_access(ports, origin, ANN.email, "administrator")
        texts = generations(ports, origin, issued(ports, OPERATING, role="operator", by=ANN))
        own = issued(ports, origin, by=ANN)
        assert validity(ports, [*texts, own]) == [True] * 5
        revoke_access(ports, OPERATING, ANN.email)
        assert validity(ports, [*texts, own]) == [False] * 4 + [True]
