"""Who may do what: it is looked up in what the appends keep true, so it holds at once in every process."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

import pytest

from application.granting import (
    NewToken,
    Person,
    bearer,
    grant_access,
    issue_token,
    revoke_access,
    revoke_token,
)
from application.records import Actor, Origin
from domain.access import MOST_ANCESTORS, ROLLCALL, Role, token_text
from tests.conftest import subscribed

if TYPE_CHECKING:
    from application.granting import Bearer, Principal
    from tests.contracts.conftest import Implementation

OPERATING = Origin(ROLLCALL, Actor("operator", "root", "root"), "test")
SECRET = bytes(range(32))


@pytest.fixture
def origin(ports: Implementation) -> Origin:
    return subscribed(ports)


@pytest.fixture
def ann() -> str:
    """Return a new address."""
    return f"ann-{uuid4()}@example.com"


def issued(ports: Implementation, origin: Origin, role: Role = "administrator", by: Principal | None = None) -> UUID:
    token_id = uuid4()
    issue_token(ports, origin, token_id, SECRET, NewToken("Sync", role, None, by))
    return token_id


def valid(ports: Implementation, token_id: UUID) -> Bearer:
    found = bearer(ports, token_text(token_id, SECRET))
    assert found
    return found


def chain(ports: Implementation, origin: Origin, length: int) -> list[UUID]:
    """Return a token of an operator and more in a subscription, each issued with the one before."""
    tokens = [issued(ports, OPERATING, "operator")]
    for _ in range(length - 1):
        tokens.append(issued(ports, origin, by=valid(ports, tokens[-1])))
    return tokens


def test_an_address_has_the_roles_that_it_was_granted_until_they_are_revoked(
    ports: Implementation, elsewhere: Implementation, origin: Origin, ann: str
) -> None:
    here, both, none = origin.subscription_id, {"administrator", "auditor"}, frozenset[Role]()
    scopes = {here, ROLLCALL, uuid4()}

    def roles() -> dict[UUID, frozenset[Role]]:
        found = elsewhere.rights.roles(ann, scopes)
        assert found.keys() == scopes
        return {scope: held for scope, held in found.items() if held}

    assert roles() == {}
    grant_access(ports, origin, ann, "administrator")
    grant_access(ports, origin, ann, "auditor")
    grant_access(ports, OPERATING, ann, "operator")
    grant_access(ports, origin, f"not-{ann}", "consumer")
    assert roles() == {here: both, ROLLCALL: {"operator"}}
    revoke_access(ports, origin, ann, "administrator")
    assert roles() == {here: {"auditor"}, ROLLCALL: {"operator"}}
    revoke_access(ports, OPERATING, ann)
    grant_access(ports, origin, ann, "administrator")
    assert roles() == {here: both}
    revoke_access(ports, origin, ann)
    assert roles() == {}
    assert elsewhere.rights.roles(ann, []) == {}
    assert elsewhere.rights.roles(ann, [here]) == {here: none}


def test_roles_that_are_granted_twice_are_revoked_at_once(ports: Implementation, origin: Origin, ann: str) -> None:
    for _ in range(2):
        grant_access(ports, origin, ann, "auditor")
    revoke_access(ports, origin, ann, "auditor")
    revoke_access(ports, origin, ann, "auditor")
    assert not ports.rights.roles(ann, [origin.subscription_id])[origin.subscription_id]


def test_a_token_is_what_was_issued(ports: Implementation, elsewhere: Implementation, origin: Origin) -> None:
    found = elsewhere.rights.token(issued(ports, origin, "consumer"))
    assert found
    assert (found.token.name, found.token.role, found.scope) == ("Sync", "consumer", origin.subscription_id)
    assert (found.ancestors, found.ancestor_scopes, found.issuer_roles) == ((), (), {})
    assert elsewhere.rights.token(uuid4()) is None
    assert elsewhere.rights.token(origin.subscription_id) is None, "a stream, but not a token's"


@pytest.mark.parametrize("ended", [0, 1, MOST_ANCESTORS])
def test_a_token_is_gone_once_it_or_one_behind_it_is_revoked(
    ports: Implementation, elsewhere: Implementation, origin: Origin, ended: int
) -> None:
    tokens = chain(ports, origin, MOST_ANCESTORS + 1)
    found = elsewhere.rights.token(tokens[-1])
    assert found
    assert len(found.ancestors) == MOST_ANCESTORS
    assert set(found.ancestor_scopes) == {ROLLCALL, origin.subscription_id}
    revoke_token(ports, origin if ended else OPERATING, tokens[ended])
    assert [elsewhere.rights.token(each) is not None for each in tokens] == [
        number < ended for number in range(len(tokens))
    ]


def test_a_token_comes_with_the_roles_by_which_its_issuer_may_issue_it(
    ports: Implementation, elsewhere: Implementation, origin: Origin, ann: str
) -> None:
    """What counts is where the token and those behind it were issued, and Rollcall as a whole."""
    beyond = subscribed(ports)
    for scope, role in (
        (origin, "administrator"),
        (origin, "auditor"),
        (OPERATING, "operator"),
        (beyond, "administrator"),
    ):
        grant_access(ports, scope, ann, cast("Role", role))
    person, here = Person(ann, "Ann"), origin.subscription_id
    own, operators = issued(ports, origin, by=person), issued(ports, OPERATING, "operator", by=person)
    through = issued(ports, beyond, by=valid(ports, operators))

    def told(token_id: UUID) -> dict[UUID, frozenset[Role]]:
        found = elsewhere.rights.token(token_id)
        assert found
        return found.issuer_roles

    assert told(own) == {here: {"administrator"}, ROLLCALL: {"operator"}}
    assert told(operators) == {ROLLCALL: {"operator"}}
    assert told(through) == {beyond.subscription_id: {"administrator"}, ROLLCALL: {"operator"}}
    revoke_access(ports, OPERATING, ann)
    assert told(own) == {here: {"administrator"}}
    assert told(through) == {beyond.subscription_id: {"administrator"}}
