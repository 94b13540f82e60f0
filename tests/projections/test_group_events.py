"""The view of group events has rows for runs of them; what clients read is said event by event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json

from application.records import NewRecord, Origin, Record
from domain.forgetting import Erased, PersonForgotten, forgetting_id, pseudonym
from domain.group import GroupCreated
from domain.subscription import SubscriptionRenamed
from projections import group_events as view
from projections.group_events import GROUP_EVENTS, HANDLED, EventId, EventLost, group_events
from projections.view import identity
from tests.conftest import ANN, advance_views, subscribed
from tests.histories import in_one_append
from tests.projections.test_projector import cut_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SUBSCRIPTIONS = [UUID(int=1), UUID(int=2)]


def ids_of(records: Iterable[Record]) -> list[EventId]:
    """Return the ids of one subscription's events as they have always been made: one after the other."""
    ids, digest = list[EventId](), ""
    for record in records:
        if type(record.event) in HANDLED:
            at = record.at.astimezone(UTC).isoformat(timespec="microseconds")
            text = f"{digest} {record.originator_id} {record.originator_version} {at}"
            digest = sha256(text.encode()).hexdigest()[:16]
            ids.append(EventId(len(ids) + 1, digest))
    return ids


# --- what is written ------------------------------------------------------------------------------------------------


class Appended(NamedTuple):
    """An append of a subscription: whether each of its events is public, and whether it has a time of its own."""

    subscription: UUID
    public: list[bool]
    is_later: bool


APPENDS = st.lists(
    st.builds(Appended, st.sampled_from(SUBSCRIPTIONS), st.lists(st.booleans(), min_size=1, max_size=8), st.booleans()),
    min_size=1,
    max_size=8,
)


def log_of(appends: Sequence[Appended]) -> list[Record]:
    records, at = list[Record](), BEGAN
    for append in appends:
        at += timedelta(seconds=append.is_later)
        origin = Origin(append.subscription, ANN, "test")
        for is_public in append.public:
            event = GroupCreated("Sales", ()) if is_public else SubscriptionRenamed("", "Sales")
            position = len(records) + 1
            records.append(Record(UUID(int=position), 1, at, origin, event, position))
    return records


def rows_after(rollcall: Rollcall, batches: Iterable[Sequence[Record]]) -> list[dict[str, Any]]:
    """Return the rows that the view has after these batches, and roll them back."""
    with (
        rollcall.datastore.connect() as connection,
        connection.transaction(force_rollback=True),
        connection.cursor() as cursor,
    ):
        for batch in batches:
            GROUP_EVENTS.apply(cursor, batch)
        return cursor.execute("SELECT * FROM group_events ORDER BY subscription_id, rank").fetchall()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example rolls its rows back
@given(APPENDS, st.sets(st.integers(1, 63)))
def test_however_the_log_is_cut_the_rows_are_those_of_its_runs(
    idle: Rollcall, appends: list[Appended], cuts: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "RUN", 5)
        records = log_of(appends)
        ends = [0, *sorted(cuts), len(records)]
        rows = rows_after(idle, [records[start:end] for start, end in pairwise(ends)])
        assert rows == rows_after(idle, [records])
        assert rows == rows_after(idle, [[record] for record in records])
    for subscription in SUBSCRIPTIONS:
        own = [each for each in records if each.origin.subscription_id == subscription]
        public = [each for each in own if type(each.event) in HANDLED]
        ids = [EventId(0, ""), *ids_of(own)]
        runs = [row for row in rows if row["subscription_id"] == subscription]
        in_rows = [range(row["position"], row["last"] + 1) for row in runs]
        assert list(chain.from_iterable(in_rows)) == [each.position for each in public]
        for row, positions in zip(runs, in_rows, strict=True):
            assert {each.at for each in public if each.position in positions} == {row["at"]}
            assert positions[0] // 5 == positions[-1] // 5
            assert (row["rank"] - 1, row["digest_before"]) == (ids[row["rank"] - 1].rank, ids[row["rank"] - 1].digest)
            assert row["digest_after"] == ids[row["rank"] - 1 + len(positions)].digest
        joined = [
            (a, b)
            for a, b in pairwise(runs)
            if (a["last"] + 1, a["at"]) == (b["position"], b["at"]) and b["position"] % 5
        ]
        assert not joined, "these would be one run"


# --- what is read ---------------------------------------------------------------------------------------------------


def create_groups(rollcall: Rollcall, origin: Origin, *names: str) -> None:
    in_one_append(rollcall, origin, *((uuid4(), GroupCreated(name, ())) for name in names))


def names(count: int, of: str = "Group") -> list[str]:
    return [f"{of} {number}" for number in range(count)]


def logged(rollcall: Rollcall, origin: Origin) -> list[Record]:
    return [
        each for each in rollcall.events.read_log(0, 10_000) if each.origin.subscription_id == origin.subscription_id
    ]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the events that are read to find out ids."""
    read = list[str]()

    def identifying(event: str, at: datetime) -> str:
        read.append(event)
        return identity(event, at)

    monkeypatch.setattr("projections.group_events.identity", identifying)
    return read


def test_a_page_begins_after_any_event_and_has_as_many_as_are_asked_for(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "RUN", 7)
    mine, theirs = subscribed(unattended), subscribed(unattended)
    create_groups(unattended, mine, *names(1, "First"))
    create_groups(unattended, mine, *names(1, "Second"))
    create_groups(unattended, theirs, *names(20))
    renamed = NewRecord(mine.subscription_id, 3, SubscriptionRenamed("Contoso", "Fabrikam"))
    groups = [NewRecord(uuid4(), 1, GroupCreated(name, ())) for name in names(16, "Third")]
    unattended.events.append(mine, [*groups[:3], renamed, *groups[3:]])
    create_groups(unattended, mine, "Last")
    advance_views(unattended)
    created = [each for each in logged(unattended, mine) if type(each.event) in HANDLED]
    ids = ids_of(created)
    assert len(ids) == 19
    with unattended.views() as cursor:
        for start, after in enumerate([None, *ids]):
            for limit in (1, 2, 6, 7, 8, 18, 19, 50):
                page = group_events(cursor, mine.subscription_id, after=after, limit=limit)
                wanted = ids[start : start + limit]
                assert [each.id for each in page.events] == list(map(str, wanted))
                assert page.last == (wanted[-1] if wanted else None)
                assert page.more == (start + limit < len(ids))
                subjects = [f"groups/{each.originator_id}" for each in created[start : start + limit]]
                assert [each.subject for each in page.events] == subjects


def test_a_page_reads_no_more_than_the_runs_it_begins_and_ends_in(unattended: Rollcall, reading: list[str]) -> None:
    origin = subscribed(unattended)
    create_groups(unattended, origin, *names(3 * view.RUN))
    advance_views(unattended)
    ids = ids_of(logged(unattended, origin))
    with unattended.views() as cursor:
        for start in range(0, 2 * view.RUN, 17):
            reading.clear()
            assert len(group_events(cursor, origin.subscription_id, after=ids[start], limit=10).events) == 10
            assert len(reading) <= 2 * view.RUN
        reading.clear()
        group_events(cursor, origin.subscription_id, after=ids[-1])
        assert reading == [], "who has read everything is known by the last row"


def test_events_of_a_run_that_were_rewritten_are_named(unattended: Rollcall) -> None:
    mine, theirs = subscribed(unattended), subscribed(unattended)
    create_groups(unattended, mine, *names(5))
    create_groups(unattended, theirs, *names(5))
    positions = [each.position for each in logged(unattended, mine) if type(each.event) in HANDLED]
    foreign = [each.position for each in logged(unattended, theirs) if type(each.event) in HANDLED]
    erased = (Erased(positions[0] - 1, "00"), Erased(positions[1], "00"), Erased(positions[2], "", "00"))
    more = (Erased(positions[3], "00"), Erased(foreign[0], "00"))
    forgotten = PersonForgotten(pseudonym(b"\0" * 8), 1, 1, 0, 0, (*erased, *more))
    unattended.events.append(mine, [NewRecord(forgetting_id(mine.subscription_id), 1, forgotten)])
    advance_views(unattended)
    with unattended.views() as cursor:
        page = group_events(cursor, mine.subscription_id)
    assert json.decode(page.events[-1].data)["events"] == [page.events[1].id, page.events[3].id]


@pytest.mark.parametrize("kept", [0, 2], ids=["whole", "in part"])
def test_what_the_log_lost_is_known_at_once_inside_a_run_too(unattended: Rollcall, database: str, kept: int) -> None:
    """Other events of the subscription are in their places, and the view isn't rebuilt yet."""
    origin = subscribed(unattended)
    create_groups(unattended, origin, *names(2, "Kept"))
    head = unattended.events.head()
    create_groups(unattended, origin, *names(5, "Lost"))
    advance_views(unattended)
    ids = ids_of(logged(unattended, origin))
    cut_log(database, head + kept)
    create_groups(unattended, origin, *names(5 - kept, "New"))
    with unattended.views() as cursor:
        page = group_events(cursor, origin.subscription_id)
        assert [each.id for each in page.events] == list(map(str, ids[:2]))
        assert group_events(cursor, origin.subscription_id, after=ids[1]).events == []
        with pytest.raises(EventLost):
            group_events(cursor, origin.subscription_id, after=ids[4])


@pytest.mark.parametrize(
    "alteration",
    [
        "DELETE FROM rollcall.events WHERE notification_id = %s",
        "UPDATE rollcall.events SET originator_version = 7 WHERE notification_id = %s",
        "UPDATE rollcall.appends SET at = at + interval '1 second' WHERE position >= %s",
    ],
)
def test_events_of_a_run_are_shown_if_all_of_them_are_those_that_the_view_was_made_of(
    unattended: Rollcall, database: str, alteration: LiteralString
) -> None:
    origin = subscribed(unattended)
    create_groups(unattended, origin, *names(5))
    advance_views(unattended)
    ids = ids_of(logged(unattended, origin))
    with psycopg.connect(database) as connection:
        connection.execute(alteration, [unattended.events.head() - 2])
    with unattended.views() as cursor:
        assert group_events(cursor, origin.subscription_id).events == []
        with pytest.raises(EventLost):
            group_events(cursor, origin.subscription_id, after=ids[3])
