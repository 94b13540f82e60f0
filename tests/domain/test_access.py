from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from domain.access import (
    MOST_ANCESTORS,
    ROLLCALL,
    SECRET_BYTES,
    TOKEN_PREFIX,
    Access,
    AccessGranted,
    AccessRevoked,
    Parent,
    RevokedToken,
    Role,
    Token,
    TokenEvent,
    TokenIssued,
    TokenRevoked,
    TokenState,
    access_id,
    evolve,
    evolve_token,
    fold,
    fold_token,
    grant,
    issue_token,
    read_token,
    revoke,
    revoke_token,
    token_text,
)
from domain.errors import ExpiryInvalid, RoleOutOfScope, TokenChainTooLong, TokenNameInvalid
from tests.scenarios import given

SCOPE = UUID("11111111-1111-4111-8111-111111111111")
TOKEN = UUID("22222222-2222-4222-8222-222222222222")
ANN = "ann@example.com"
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
SECRET = bytes(range(32))
ROLES: tuple[Role, ...] = get_args(Role)
IN_SUBSCRIPTIONS = [role for role in ROLES if role != "operator"]


def issued(
    name: str = "Sync", role: Role = "consumer", expires_at: datetime | None = None, parent: Parent | None = None
) -> TokenIssued:
    return issue_token(scope=SCOPE, name=name, role=role, secret=SECRET, expires_at=expires_at, now=NOW, parent=parent)


class TestAccess:
    def test_is_granted_once(self) -> None:
        granted = AccessGranted(ANN, "auditor")
        given(fold, granted).when(lambda held: grant(held, SCOPE, ANN, "auditor")).then_nothing()
        given(fold, granted).when(lambda held: grant(held, SCOPE, ANN, "consumer")).then(AccessGranted(ANN, "consumer"))

    def test_is_revoked_once_and_can_be_granted_again(self) -> None:
        granted, revoked = AccessGranted(ANN, "auditor"), AccessRevoked(ANN, "auditor")
        given(fold, granted).when(lambda held: revoke(held, ANN, "auditor")).then(revoked)
        given(fold, granted).when(lambda held: revoke(held, ANN, "consumer")).then_nothing()
        given(fold, granted, revoked).when(lambda held: revoke(held, ANN, "auditor")).then_nothing()
        given(fold, granted, revoked).when(lambda held: grant(held, SCOPE, ANN, "auditor")).then(granted)

    @pytest.mark.parametrize("role", ROLES)
    def test_for_operators_covers_all_of_rollcall_and_for_others_one_subscription(self, role: Role) -> None:
        wrong = SCOPE if role == "operator" else ROLLCALL
        with pytest.raises(RoleOutOfScope, match=f"“{role}”"):
            grant(Access(), wrong, ANN, role)
        with pytest.raises(RoleOutOfScope):
            issue_token(scope=wrong, name="x", role=role, secret=SECRET, expires_at=None, now=NOW)

    @generated(st.lists(st.tuples(st.booleans(), st.sampled_from(IN_SUBSCRIPTIONS))))
    def test_consists_of_the_roles_granted_and_not_revoked_since(self, wishes: list[tuple[bool, Role]]) -> None:
        held, expected = Access(), set[Role]()
        for granting, role in wishes:
            event = grant(held, SCOPE, ANN, role) if granting else revoke(held, ANN, role)
            assert (event is not None) == (granting != (role in expected))
            held = evolve(held, event) if event else held
            (expected.add if granting else expected.discard)(role)
            assert held.roles == expected

    def test_has_a_stream_for_each_address_in_each_scope(self) -> None:
        streams = {access_id(scope, email) for scope in (SCOPE, ROLLCALL) for email in (ANN, "ben@example.com")}
        assert len(streams) == 4


class TestToken:
    def test_stores_only_the_digest_of_its_secret(self) -> None:
        event = issued()
        assert SECRET.hex() not in str(event)
        assert event.secret_sha256 == sha256(SECRET).hexdigest()

    @pytest.mark.parametrize(
        ("secret", "now", "admitted"),
        [
            (SECRET, NOW, True),
            (SECRET, NOW + timedelta(days=1, microseconds=-1), True),
            (SECRET, NOW + timedelta(days=1), False),
            (SECRET[:-1] + b"x", NOW, False),
            (b"", NOW, False),
        ],
    )
    def test_admits_its_secret_until_it_expires(self, secret: bytes, now: datetime, admitted: bool) -> None:  # noqa: FBT001 - a column of the table
        token = evolve_token(None, issued(expires_at=NOW + timedelta(days=1)))
        assert isinstance(token, Token)
        assert token.admits(secret, now) == admitted

    def test_is_revoked_once(self) -> None:
        given(fold_token, issued()).when(revoke_token).then(TokenRevoked("Sync"))
        given(fold_token, issued(), TokenRevoked("Sync")).when(revoke_token).then_nothing()

    @pytest.mark.parametrize(
        ("state", "event"),
        [
            (None, TokenRevoked("Sync")),
            (RevokedToken(), issued()),
            (RevokedToken(), TokenRevoked("x")),
        ],
    )
    def test_has_no_other_history(self, state: TokenState | None, event: TokenEvent) -> None:
        with pytest.raises(ValueError, match="cannot follow"):
            evolve_token(state, event)

    @pytest.mark.parametrize("name", ["", "   ", "x" * 256, "a\0b", "a\x1bb", "a\u202eb", "\ud800"])
    def test_has_a_name_of_printable_characters(self, name: str) -> None:
        with pytest.raises(TokenNameInvalid):
            issued(name)

    @pytest.mark.parametrize("name", [ANN, "  Ann@EXAMPLE.com\n", "o'neil+x@sub.example.co.uk", "zoë@exämple.com"])
    def test_cannot_have_an_address_as_its_name(self, name: str) -> None:
        """The audit log shows a token's name where it shows a person's address."""
        with pytest.raises(TokenNameInvalid, match="is an e-mail address"):
            issued(name)

    @pytest.mark.parametrize("name", ["@", "Sync @ night", "Sync for ann@example.com", "ann@localhost"])
    def test_can_have_a_name_that_is_not_an_address(self, name: str) -> None:
        assert issued(name).name == name

    def test_has_a_name_without_surplus_white_space(self) -> None:
        assert issued("  Nightly \n sync ").name == "Nightly sync"

    @pytest.mark.parametrize(
        "expires_at",
        [
            NOW,
            NOW - timedelta(days=1),
            datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        ],
    )
    def test_expires_in_the_future(self, expires_at: datetime) -> None:
        with pytest.raises(ExpiryInvalid):
            issued(expires_at=expires_at)

    def test_expires_in_utc(self) -> None:
        there = datetime(2027, 1, 31, 10, tzinfo=timezone(timedelta(hours=1)))
        assert str(issued(expires_at=there).expires_at) == "2027-01-31 09:00:00+00:00"


class TestATokenIssuedWithAnother:
    def test_carries_all_its_ancestors_the_nearest_first(self) -> None:
        older = (UUID(int=1), UUID(int=2))
        assert issued().ancestors == ()
        assert issued(parent=Parent(TOKEN, None)).ancestors == (TOKEN,)
        event = issued(parent=Parent(TOKEN, None, older))
        assert event.ancestors == (TOKEN, *older)
        token = evolve_token(None, event)
        assert isinstance(token, Token)
        assert token.ancestors == event.ancestors

    @pytest.mark.parametrize(
        ("days", "parents_days", "expected"), [(1, 2, 1), (2, 1, 1), (None, 1, 1), (1, None, 1), (None, None, None)]
    )
    def test_expires_with_its_parent_at_the_latest(
        self, days: int | None, parents_days: int | None, expected: int | None
    ) -> None:
        def end(count: int | None) -> datetime | None:
            return None if count is None else NOW + timedelta(days=count)

        assert issued(expires_at=end(days), parent=Parent(TOKEN, end(parents_days))).expires_at == end(expected)

    def test_expires_in_the_future_however_soon_its_parent_expires(self) -> None:
        for wrong in (NOW, datetime(9999, 12, 31, tzinfo=UTC)):
            with pytest.raises(ExpiryInvalid):
                issued(expires_at=wrong, parent=Parent(TOKEN, NOW + timedelta(days=1)))

    def test_has_a_limited_number_of_ancestors(self) -> None:
        ancestors = tuple(UUID(int=number) for number in range(MOST_ANCESTORS))
        assert len(issued(parent=Parent(TOKEN, None, ancestors[1:])).ancestors) == MOST_ANCESTORS
        with pytest.raises(TokenChainTooLong):
            issued(parent=Parent(TOKEN, None, ancestors))


class TestTokenText:
    @generated(st.uuids(), st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES))
    def test_is_read_as_it_was_written(self, token_id: UUID, secret: bytes) -> None:
        text = token_text(token_id, secret)
        assert text.startswith(TOKEN_PREFIX)
        assert text.isascii()
        assert read_token(text) == (token_id, secret)

    @generated(st.text(max_size=100) | st.from_regex("rollcall_[A-Za-z0-9_-]{60,70}", fullmatch=True))
    def test_is_read_only_if_it_is_exactly_a_token(self, text: str) -> None:
        read = read_token(text)
        assert read is None or token_text(*read) == text

    @pytest.mark.parametrize(
        "spoilt", ["{}\n", " {}", "{}=", "Rollcall_{}", "{}A", "é{}"], ids=["line", "space", "=", "case", "longer", "é"]
    )
    def test_in_any_other_form_is_not_a_token(self, spoilt: str) -> None:
        assert read_token(spoilt.format(token_text(TOKEN, SECRET))) is None
