"""What the overview of a subscription counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.ports import AlwaysReadable
from application.grouping import create_group
from application.importing import discard
from application.licensing import allocate_licences, revoke_licences
from domain.subscription import User
from projections.reports.overview import (
    ImportsOnDay,
    SeatsOnDay,
    groups_by_size,
    imports_by_day,
    seats_by_day,
    size_names,
    users_in_no_group,
)
from tests.conftest import Compose, advance_views, subscribed
from tests.histories import uploaded

if TYPE_CHECKING:
    from adapters.composition import Rollcall

USERS = [f"user{number}@example.com" for number in range(12)]
FILE = f"Groupname,Email\nSales,{USERS[0]}\n"


class Calendar:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 30, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def later(self, **how_much: float) -> None:
        """Set the clock forward."""
        self.at += timedelta(**how_much)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def rollcall(compose: Compose, calendar: Calendar) -> Rollcall:
    return compose(readable=AlwaysReadable(), now=calendar)


@pytest.mark.database
def test_seats_are_counted_at_the_end_of_each_day_on_which_they_changed(rollcall: Rollcall, calendar: Calendar) -> None:
    origin = subscribed(rollcall, *USERS[:3])
    subscribed(rollcall, *USERS)
    calendar.later(minutes=2)  # the next day
    allocate_licences(rollcall, origin, [User(USERS[3]), User(USERS[4])])
    revoke_licences(rollcall, origin, USERS[:1])
    calendar.later(days=7)
    revoke_licences(rollcall, origin, USERS[1:4])
    advance_views(rollcall)
    with rollcall.views() as rows:
        assert seats_by_day(rows, origin.subscription_id) == [
            SeatsOnDay(date(2026, 1, 30), 3),
            SeatsOnDay(date(2026, 1, 31), 4),
            SeatsOnDay(date(2026, 2, 7), 1),
        ]


@pytest.mark.database
def test_imports_are_counted_by_day_and_state_from_a_time_on(rollcall: Rollcall, calendar: Calendar) -> None:
    origin = subscribed(rollcall, *USERS)
    uploaded(rollcall, origin, "early.csv", FILE)
    calendar.later(days=1)
    since = calendar.at
    for name in ("first.csv", "second.csv"):
        uploaded(rollcall, origin, name, FILE)
    uploaded(rollcall, origin, "refused.csv", "nonsense")
    discard(rollcall, uploaded(rollcall, origin, "put away.csv", FILE), None)
    uploaded(rollcall, subscribed(rollcall, *USERS), "foreign.csv", FILE)
    advance_views(rollcall)
    day = date(2026, 1, 31)
    with rollcall.views() as rows:
        assert imports_by_day(rows, origin.subscription_id, since) == [
            ImportsOnDay(day, "discarded", 1),
            ImportsOnDay(day, "rejected", 1),
            ImportsOnDay(day, "reviewing", 2),
        ]


@pytest.mark.database
def test_groups_are_counted_by_size_and_users_who_are_in_none(rollcall: Rollcall) -> None:
    origin, other = subscribed(rollcall, *USERS), subscribed(rollcall, *USERS)
    for users in (0, 1, 9, 9, 10):
        create_group(rollcall, origin, uuid4(), f"{uuid4()}", USERS[:users])
    create_group(rollcall, other, uuid4(), "Everybody", USERS)
    advance_views(rollcall)
    with rollcall.views() as rows:
        assert groups_by_size(rows, origin.subscription_id) == [1, 3, 1, 0, 0, 0]
        assert users_in_no_group(rows, origin.subscription_id) == 2
        assert users_in_no_group(rows, other.subscription_id) == 0
    revoke_licences(rollcall, origin, USERS[:1])
    revoke_licences(rollcall, origin, USERS[11:])
    advance_views(rollcall)
    with rollcall.views() as rows:
        assert users_in_no_group(rows, origin.subscription_id) == 1


def test_sizes_are_named_without_gaps() -> None:
    assert size_names() == ["0", "1 to 9", "10 to 49", "50 to 99", "100 to 499", "500 or more"]


@given(st.sets(st.integers(0, 1_000), min_size=2))
def test_there_is_a_name_for_each_size(sizes: set[int]) -> None:
    assert len(set(size_names(sorted(sizes)))) == len(sizes)
