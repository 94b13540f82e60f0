from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from application import granting
from application.decisions import RequestKey
from application.granting import Bearer, NewToken, Person, bearer, grant_access, issue_token, revoke_access, roles
from application.records import Actor, Origin
from domain.access import ROLLCALL, Role, TokenIssued, access_id, token_text
from domain.errors import EmailInvalid, ExpiryInvalid, KeyReused, NotFound, RoleOutOfScope
from tests.conftest import ANN as ADMINISTRATOR
from tests.conftest import subscribed

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN = Person("ann@example.com", "Ann")
OPERATING = Origin(ROLLCALL, Actor("operator", "root", "root"), "test")
SECRET = bytes(range(32))


@pytest.fixture
def origin(rollcall: Rollcall) -> Origin:
    return subscribed(rollcall)


def issued(
    rollcall: Rollcall,
    origin: Origin,
    *,
    role: Role = "consumer",
    issuer: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    token_id = uuid4()
    issue_token(rollcall, origin, token_id, SECRET, NewToken("Sync", role, expires_at, issuer))
    return token_text(token_id, SECRET)


def held(rollcall: Rollcall, person: Person, *scopes: UUID) -> list[set[str]]:
    return [set(each) for each in roles(rollcall, person, scopes).values()]


class TestAPerson:
    def test_holds_what_was_granted_in_its_scope_alone(self, rollcall: Rollcall, origin: Origin) -> None:
        other = subscribed(rollcall)
        grant_access(rollcall, origin, " Ann@EXAMPLE.com ", "auditor")
        grant_access(rollcall, other, ANN.email, "consumer")
        grant_access(rollcall, other, ANN.email, "administrator")
        scopes = (origin.subscription_id, other.subscription_id, ROLLCALL)
        assert held(rollcall, ANN, *scopes) == [{"auditor"}, {"consumer", "administrator"}, set()]
        assert held(rollcall, Person("ben@example.com", ""), *scopes) == [set(), set(), set()]

    def test_holds_nothing_any_more_once_it_is_revoked_though_no_view_moves(
        self, idle: Rollcall, compose: Callable[[], Rollcall], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
        origin = subscribed(idle)
        elsewhere = compose()
        for role in ("auditor", "consumer"):
            grant_access(idle, origin, ANN.email, role)
        assert held(elsewhere, ANN, origin.subscription_id) == [{"auditor", "consumer"}]
        revoke_access(idle, origin, ANN.email, "auditor")
        assert held(elsewhere, ANN, origin.subscription_id) == [{"consumer"}]
        revoke_access(idle, origin, ANN.email)
        assert held(elsewhere, ANN, origin.subscription_id) == [set()]

    def test_is_granted_what_it_holds_without_an_event(self, rollcall: Rollcall, origin: Origin) -> None:
        def version() -> int:
            return rollcall.events.versions([stream]).get(stream, 0)

        stream = access_id(origin.subscription_id, ANN.email)
        assert revoke_access(rollcall, origin, ANN.email) is None
        assert grant_access(rollcall, origin, ANN.email, "auditor")
        assert grant_access(rollcall, origin, ANN.email, "auditor") is None
        assert version() == 1
        assert revoke_access(rollcall, origin, ANN.email, "consumer") is None
        assert revoke_access(rollcall, origin, ANN.email)
        assert revoke_access(rollcall, origin, ANN.email) is None
        assert version() == 2

    def test_is_refused_what_cannot_be(self, rollcall: Rollcall, origin: Origin) -> None:
        with pytest.raises(EmailInvalid):
            grant_access(rollcall, origin, "nonsense", "auditor")
        with pytest.raises(RoleOutOfScope):
            grant_access(rollcall, origin, ANN.email, "operator")
        with pytest.raises(RoleOutOfScope):
            grant_access(rollcall, OPERATING, ANN.email, "auditor")
        nowhere = replace(origin, subscription_id=uuid4())
        for use in (grant_access, revoke_access):
            with pytest.raises(NotFound, match="no subscription"):
                use(rollcall, nowhere, ANN.email, "auditor")


def test_nobody_may_do_anything_until_an_operator_says_so(idle: Rollcall) -> None:
    assert idle.events.head() == 0, "so nothing is granted, and no token is issued"
    assert idle.sign_ins.signed_in() == frozenset()


class TestAToken:
    def test_stands_for_its_role_in_its_scope_alone(self, rollcall: Rollcall, origin: Origin) -> None:
        found = bearer(rollcall, issued(rollcall, origin))
        assert found
        assert (found.name, found.role, found.scope) == ("Sync", "consumer", origin.subscription_id)
        other = subscribed(rollcall).subscription_id
        assert roles(rollcall, found, {origin.subscription_id, other, ROLLCALL}) == {
            origin.subscription_id: {"consumer"},
            other: frozenset(),
            ROLLCALL: frozenset(),
        }

    def test_is_good_for_nothing_once_it_was_revoked_in_any_process(
        self, rollcall: Rollcall, origin: Origin, compose: Callable[[], Rollcall]
    ) -> None:
        text, elsewhere = issued(rollcall, origin), compose()
        found = bearer(elsewhere, text)
        assert found
        granting.revoke_token(rollcall, origin, found.token_id)
        assert bearer(elsewhere, text) is None
        assert granting.revoke_token(rollcall, origin, found.token_id).version == 2, "once is enough"

    def test_is_good_until_it_expires(self, rollcall: Rollcall, origin: Origin) -> None:
        end = datetime.now(UTC) + timedelta(days=1)
        text = issued(rollcall, origin, expires_at=end)
        assert bearer(rollcall, text)
        assert bearer(dataclasses.replace(rollcall, now=lambda: end), text) is None

    def test_is_good_for_no_longer_than_its_issuer_may_issue_it(self, rollcall: Rollcall, origin: Origin) -> None:
        text = issued(rollcall, origin, issuer=ANN.email)
        assert bearer(rollcall, text) is None
        table: tuple[tuple[Role, bool], ...] = (("consumer", False), ("auditor", False), ("administrator", True))
        for role, good in table:
            grant_access(rollcall, origin, ANN.email, role)
            assert bool(bearer(rollcall, text)) == good
        revoke_access(rollcall, origin, ANN.email, "administrator")
        assert bearer(rollcall, text) is None
        grant_access(rollcall, OPERATING, ANN.email, "operator")
        assert bearer(rollcall, text)

    def test_of_another_secret_or_of_no_token_is_nobody(self, rollcall: Rollcall, origin: Origin) -> None:
        found = bearer(rollcall, issued(rollcall, origin))
        assert found
        for token_id in (found.token_id, origin.subscription_id, uuid4()):
            assert bearer(rollcall, token_text(token_id, bytes(32))) is None
        assert bearer(rollcall, token_text(origin.subscription_id, SECRET)) is None
        assert bearer(rollcall, "") is None

    def test_is_issued_once_under_a_key(self, rollcall: Rollcall, origin: Origin) -> None:
        token_id, new = uuid4(), NewToken("Sync", "consumer", None)
        once = RequestKey("key", uuid4())
        assert issue_token(rollcall, origin, token_id, SECRET, new, once)
        assert issue_token(rollcall, origin, token_id, bytes(32), new, once) is None
        assert bearer(rollcall, token_text(token_id, SECRET)), "the first secret stays"
        with pytest.raises(KeyReused):
            issue_token(rollcall, origin, token_id, SECRET, new, RequestKey("key", uuid4()))

    def test_is_found_in_its_scope_alone(self, rollcall: Rollcall, origin: Origin) -> None:
        found = bearer(rollcall, issued(rollcall, origin))
        assert isinstance(found, Bearer)
        assert granting.scope_of_token(rollcall, found.token_id) == origin.subscription_id
        for whence, token_id in ((subscribed(rollcall), found.token_id), (origin, origin.subscription_id)):
            with pytest.raises(NotFound, match="no token"):
                granting.revoke_token(rollcall, whence, token_id)
        for token_id in (origin.subscription_id, uuid4()):
            with pytest.raises(NotFound, match="no token"):
                granting.scope_of_token(rollcall, token_id)

    def test_is_refused_what_cannot_be(self, rollcall: Rollcall, origin: Origin) -> None:
        with pytest.raises(RoleOutOfScope):
            issued(rollcall, origin, role="operator")
        with pytest.raises(ExpiryInvalid):
            issued(rollcall, origin, expires_at=datetime.now(UTC))
        with pytest.raises(NotFound, match="no subscription"):
            issued(rollcall, Origin(uuid4(), ADMINISTRATOR, "test"))

    def test_tells_nobody_its_secret(self, rollcall: Rollcall, origin: Origin) -> None:
        text = issued(rollcall, origin)
        found = bearer(rollcall, text)
        assert found
        (first,) = rollcall.events.history(found.token_id)
        assert isinstance(first.event, TokenIssued)
        assert SECRET.hex() not in repr(first)
        assert text not in repr(first)
