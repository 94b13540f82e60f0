"""Access and tokens on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import pytest

from adapters.cli.access import expiry
from application import granting
from application.granting import Bearer, Person
from domain.access import ROLLCALL
from domain.errors import ExpiryInvalid
from tests.adapters.cli.terminals import run
from tests.conftest import subscribed

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
ANN = Person("ann@example.com", "Ann")


@pytest.fixture
def subscription(rollcall: Rollcall) -> UUID:
    return subscribed(rollcall).subscription_id


def document(environ: dict[str, str], *words: str) -> Any:
    done = run(environ, *words, "--json")
    assert (done.returncode, done.stderr) == (0, ""), words
    return json.loads(done.stdout)


def refused(environ: dict[str, str], code: int, *words: str) -> str:
    done = run(environ, *words)
    assert (done.returncode, done.stdout) == (code, ""), words
    return done.stderr


class TestExpiry:
    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("1d", datetime(2026, 2, 1, 9, tzinfo=UTC)),
            ("365d", datetime(2027, 1, 31, 9, tzinfo=UTC)),
            ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
            ("never", None),
        ],
    )
    def test_is_a_number_of_days_or_a_date_or_never(self, text: str, time: datetime | None) -> None:
        assert expiry(text, NOW) == time

    @pytest.mark.parametrize(
        "text", ["90", "0d", "-1d", "1 d", "٣d", "yesterday", "2027-13-01", "2027-01-31T00:00", ""]
    )
    def test_is_nothing_else(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="is not an expiry"):
            expiry(text, NOW)

    def test_is_refused_beyond_all_times(self) -> None:
        with pytest.raises(ExpiryInvalid):
            expiry("99999999d", NOW)


@pytest.mark.database
class TestToken:
    def test_is_printed_alone_and_shown_once(
        self, environ: dict[str, str], rollcall: Rollcall, subscription: UUID
    ) -> None:
        done = run(environ, "token", "create", "--role", "consumer", "-s", "Contoso", "--name", "Sync")
        assert done.returncode == 0
        assert done.stdout.count("\n") == 1
        assert "it won't be shown again" in done.stderr
        found = granting.bearer(rollcall, done.stdout.strip())
        assert isinstance(found, Bearer)
        assert (found.name, found.role, found.scope, found.issuer) == ("Sync", "consumer", subscription, None)
        secret = done.stdout.strip()
        for words in (("token", "list", "-s", "Contoso"), ("audit", "-s", "Contoso")):
            assert secret not in run(environ, *words).stdout
            assert secret not in json.dumps(document(environ, *words))

    def test_is_listed_with_its_last_use_and_revoked(
        self, environ: dict[str, str], rollcall: Rollcall, subscription: UUID
    ) -> None:
        issued = document(environ, "token", "create", "--role", "operator", "--expires", "never")
        assert issued["expires_at"] is None
        found = granting.bearer(rollcall, issued["token"])
        assert found
        assert found.scope == ROLLCALL
        [row] = document(environ, "token", "list")
        assert (row["token_id"], row["name"], row["revoked_at"], row["last_used_at"]) == (
            issued["id"],
            "operator",
            None,
            None,
        )
        rollcall.last_uses.note(found.token_id, rollcall.now())
        [row] = document(environ, "token", "list")
        assert row["last_used_at"]
        assert document(environ, "token", "list", "-s", str(subscription), "--limit", "0") == []
        assert document(environ, "token", "revoke", issued["id"]) == {"revoked": issued["id"]}
        assert granting.bearer(rollcall, issued["token"]) is None
        assert " revoked " in run(environ, "token", "list").stdout
        assert run(environ, "token", "revoke", issued["id"]).returncode == 0
        assert "There is no token" in refused(environ, 1, "token", "revoke", str(subscription))

    def test_that_has_already_expired_is_refused(self, environ: dict[str, str]) -> None:
        said = refused(environ, 1, "token", "create", "--role", "operator", "--expires", "2000-01-01")
        assert "Choose a time in the future" in said
        said = refused(environ, 2, "token", "create", "--role", "operator", "--expires", "soon")
        assert "“soon” is not an expiry" in said

    def test_with_a_role_of_another_scope_is_refused(self, environ: dict[str, str], subscription: UUID) -> None:
        for words in (("operator", "-s", str(subscription)), ("auditor",)):
            said = refused(environ, 1, "token", "create", "--role", *words)
            assert f"The role “{words[0]}” can't be granted here" in said


@pytest.mark.database
class TestAccess:
    def test_is_granted_listed_and_revoked(
        self, environ: dict[str, str], rollcall: Rollcall, subscription: UUID
    ) -> None:
        where = ("-s", "Contoso")
        granted = ("access", "grant", " Ann@Example.com", *where, "--role")
        assert document(environ, *granted, "auditor")["changed"]
        assert not document(environ, *granted, "auditor")["changed"]
        assert "now has the role consumer" in run(environ, *granted, "consumer").stdout
        rows = document(environ, "access", "list", *where)
        assert [(row["email"], row["role"]) for row in rows] == [(ANN.email, "auditor"), (ANN.email, "consumer")]
        assert run(environ, "access", "list", *where).stdout.count(ANN.email) == 2
        assert document(environ, "access", "list") == []
        assert len(document(environ, "access", "list", *where, "--limit", "0")) == 2
        assert document(environ, "access", "revoke", ANN.email, *where, "--role", "consumer")["changed"]
        assert granting.roles(rollcall, ANN, {subscription}) == {subscription: {"auditor"}}
        assert "no longer has any role here" in run(environ, "access", "revoke", ANN.email, *where).stdout
        assert "didn't have any role" in run(environ, "access", "revoke", ANN.email, *where).stdout
        assert granting.roles(rollcall, ANN, {subscription}) == {subscription: frozenset()}

    def test_of_operators_covers_all_of_rollcall(self, environ: dict[str, str], rollcall: Rollcall) -> None:
        assert document(environ, "access", "grant", ANN.email, "--role", "operator")["changed"]
        assert granting.roles(rollcall, ANN, {ROLLCALL}) == {ROLLCALL: {"operator"}}
        [row] = document(environ, "access", "list")
        assert (row["email"], row["role"], row["granted_by"]["kind"]) == (ANN.email, "operator", "operator")

    def test_is_refused_in_sentences(self, environ: dict[str, str]) -> None:
        grant = ("access", "grant", "--role")
        assert "can't be granted here" in refused(environ, 1, *grant, "auditor", ANN.email)
        assert "is not a valid e-mail address" in refused(environ, 1, *grant, "operator", "nonsense")
        assert "There is no subscription" in refused(environ, 1, *grant, "auditor", ANN.email, "-s", "Nobody’s")
        assert "king" in refused(environ, 2, *grant, "king", ANN.email)

    def test_without_a_role_lists_the_roles_on_one_line(self, environ: dict[str, str]) -> None:
        """click puts tabs between them, which would be shown as “\\t”."""
        said = refused(environ, 2, "access", "grant", ANN.email)
        roles = "operator, administrator, auditor, consumer"
        assert said.startswith(f"error: Missing option '--role'. Choose from: {roles}\n")
