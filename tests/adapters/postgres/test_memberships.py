"""What is PostgreSQL's own about memberships; the rest of it is in tests/contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.grouping import create_group
from tests.conftest import advance_views, subscribed
from tests.waiting import again_and_again

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN = "ann@example.com"


def test_a_rebuild_hides_no_group(unattended: Rollcall) -> None:
    """The tables are swapped while they are read, and what is read must still be true for its position."""
    origin = subscribed(unattended, ANN)
    (view,) = (each for each in unattended.projectors if each.view.name == "directory")
    expected = set()
    with again_and_again(view.rebuild):
        for number in range(60):
            expected.add(create_group(unattended, origin, uuid4(), f"Group {number}", [ANN]).id)
            advance_views(unattended, "directory")
            found, _ = unattended.memberships.groups_of(origin.subscription_id, [ANN])
            assert set(found) == expected
