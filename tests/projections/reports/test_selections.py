from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.grouping import create_group
from projections.reports import selections
from tests.conftest import advance_views, subscribed

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


def test_more_than_one_command_changes_are_left_for_the_next(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "MOST", 2)
    origin = subscribed(unattended, "a@example.com", "b@example.com", "c@example.com")
    for name in ("A", "B", "C"):
        create_group(unattended, origin, uuid4(), name, ["a@example.com"])
    advance_views(unattended)
    with unattended.views() as cursor:
        groups = selections.groups_that_match(cursor, origin.subscription_id)
        licences = selections.licences_that_match(cursor, origin.subscription_id)
    assert (groups.names, groups.remaining, groups.users) == (["A", "B"], 1, 1)
    assert (licences.names, licences.remaining, licences.memberships) == (["a@example.com", "b@example.com"], 1, 3)
