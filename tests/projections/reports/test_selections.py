from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.changing_many import delete_groups
from application.grouping import create_group
from projections.reports import selections
from tests.conftest import advance_views, subscribed

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


def test_what_one_request_leaves_is_the_selection_of_the_next(unattended: Rollcall) -> None:
    origin = subscribed(unattended, "a@example.com", "b@example.com", "c@example.com")
    where = origin.subscription_id
    for name in ("A", "B", "C"):
        create_group(unattended, origin, uuid4(), name, ["a@example.com"])
    advance_views(unattended)
    with unattended.views() as cursor:
        groups = selections.groups_that_match(cursor, where)
        licences = selections.licences_that_match(cursor, where)
        assert groups.names == ["A", "B", "C"]
        assert licences.keys == {"a@example.com": 3, "b@example.com": 0, "c@example.com": 0}
        assert groups.impact(cursor, where) == selections.Impact("Deletes 3 groups; 1 user leaves them.", 1, 3, 3)
    assert delete_groups(unattended, origin, selections.versions(groups.first(2))).done == 2
    advance_views(unattended)
    with unattended.views() as cursor:
        assert selections.groups_that_match(cursor, where).digest() == groups.digest(after=2) != groups.digest()
        assert selections.licences_that_match(cursor, where).digest() != licences.digest(), "a user is in fewer groups"
