"""Rights over PostgreSQL: what `tests/contracts` can't ask of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.postgres.migrations import migrations
from application.decisions import new_records
from domain.access import ROLLCALL, AccessGranted, AccessRevoked, access_id
from tests.adapters.api.tokens import bearing, token
from tests.adapters.server.serving import asked
from tests.conftest import subscribed

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from domain.access import Role

pytestmark = pytest.mark.database

ANN = "ann@example.com"


def test_the_roles_of_before_are_claimed_by_the_migration(idle: Rollcall) -> None:
    origin = subscribed(idle)
    stream = access_id(origin.subscription_id, ANN)
    events = (
        AccessGranted(ANN, "auditor"),
        AccessGranted(ANN, "consumer"),
        AccessRevoked(ANN, "auditor"),
        AccessGranted(ANN, "administrator"),
        AccessRevoked(ANN, "administrator"),
        AccessGranted(ANN, "administrator"),
    )
    idle.events.append(origin, new_records(stream, 0, events))
    scopes = [origin.subscription_id]
    assert not idle.rights.roles(ANN, scopes)[scopes[0]]
    (script,) = (each.script for each in migrations() if each.name == "roles")
    with idle.datastore.transaction() as cursor:
        cursor.execute(script)
    assert idle.rights.roles(ANN, scopes) == {scopes[0]: {"consumer", "administrator"}}


@pytest.mark.parametrize("page", ["", "/groups", "/access", "/audit"])
def test_who_asks_and_what_is_read_take_one_connection(idle: Rollcall, page: str) -> None:
    origin = subscribed(idle)
    text = token(idle.events, "administrator", origin.subscription_id)

    def lent() -> int:
        return idle.datastore.pool.get_stats().get("requests_num", 0)

    path = f"/api/v1/subscriptions/{origin.subscription_id}{page}"
    asked(idle, "GET", path, headers=bearing(text))  # which also notes that the token was used
    before = lent()
    asked(idle, "GET", path, headers=bearing(text))
    assert lent() == before + 1


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("operator", 403), ("administrator", 400)])
def test_who_has_no_access_is_not_told_that_the_query_is_wrong(idle: Rollcall, role: Role | None, status: int) -> None:
    scope = subscribed(idle).subscription_id
    text = token(idle.events, role, ROLLCALL if role == "operator" else scope) if role else "rollcall_x"
    path = f"/api/v1/subscriptions/{scope}/groups?nonsense=1"
    assert asked(idle, "GET", path, headers=bearing(text)).status_code == status
