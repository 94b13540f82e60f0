"""Views are disposable: the same events always give the same rows, byte for byte."""

from __future__ import annotations

import threading
from itertools import chain, count, cycle
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.composition import composed
from adapters.postgres.datastore import Datastore
from application.importing import stored_roster
from application.records import Event, NewRecord
from domain.forgetting import PersonForgotten, TextsErased, forgetting_id, pseudonym
from domain.group import GroupCreated, UsersAddedToGroup
from domain.subscription import ErasureStarted, SubscriptionClosed, SubscriptionErased
from projections import group_events, projector
from projections.audit_log import read as audit_log
from projections.directory import read as directory
from projections.directory.written import DIRECTORY
from projections.group_events import GROUP_EVENTS
from projections.groups_added import read as groups_added
from projections.import_list import read as import_list
from projections.positions import Bookmark, ViewMoved
from projections.projector import BATCH, Projector, RebuildSuperseded, ViewBusy
from projections.reports.review_problems import problems
from projections.reports.reviewed_users import reviewed_users
from projections.review import read as review
from tests.adapters.postgres.test_stored_events import members
from tests.conftest import advance_to_the_end, cloned, settings_for, subscribed, working
from tests.histories import everything_happens, in_one_append, uploaded
from tests.waiting import GENEROUS_SECONDS, Running, again_and_again, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from adapters.composition import Rollcall
    from application.records import Origin, Record
    from application.rosters import StoredRoster
    from projections.projector import ReadLog
    from projections.view import View, ViewCursor

pytestmark = pytest.mark.database

VIEWS = ["directory", "review", "import_list", "groups_added", "audit_log", "group_events", "access"]


class FullHistory:
    """A composition in which every type of event has happened, with views that are up to date."""

    def __init__(self, rollcall: Rollcall, origin: Origin) -> None:
        self.rollcall = rollcall
        self.origin = origin
        self.projectors = {each.view.name: each for each in rollcall.projectors}


def the_end(rollcall: Rollcall) -> None:
    """Let a subscription come to its end, without what this leaves nothing of."""
    ended = subscribed(rollcall, "ann@example.com")
    scope = ended.subscription_id
    ends: tuple[Event, ...] = (SubscriptionClosed(), ErasureStarted(), SubscriptionErased(1, 0))
    records = [NewRecord(scope, version, event) for version, event in enumerate(ends, start=3)]
    rollcall.events.append(ended, [NewRecord(forgetting_id(scope), 1, TextsErased(())), *records])


@pytest.fixture(scope="module")
def full_database(server: str, template: str) -> Iterator[tuple[str, Origin]]:
    """Return the name of a database in which every type of event has happened, to be cloned, and who caused them."""
    with cloned(server, template) as conninfo:
        with (
            pytest.MonkeyPatch.context() as patch,
            composed(settings_for(conninfo)) as rollcall,
            working(rollcall, commits=False),
        ):
            origin = everything_happens(rollcall, patch)
            # Not the forgetting itself, which leaves less to show: what views make of its event.
            forgotten = PersonForgotten(pseudonym(b"\0" * 8), 1, 1, 0, 0)
            rollcall.events.append(origin, [NewRecord(forgetting_id(origin.subscription_id), 1, forgotten)])
            the_end(rollcall)
            assert rollcall.health.catch_up()
        yield str(conninfo_to_dict(conninfo)["dbname"]), origin


@pytest.fixture
def database(server: str, full_database: tuple[str, Origin]) -> Iterator[str]:
    with cloned(server, full_database[0]) as conninfo:
        yield conninfo


@pytest.fixture
def history(idle: Rollcall, full_database: tuple[str, Origin]) -> FullHistory:
    return FullHistory(idle, full_database[1])


def dumped(database: str, projectors: Sequence[Projector], schema: str = "rollcall") -> dict[str, list[str]]:
    """Return the rows of the views' tables, as COPY writes them."""
    rows = {}
    with psycopg.connect(database) as connection:
        for table in chain.from_iterable(each.view.tables for each in projectors):
            query = SQL('COPY (SELECT * FROM {} AS t ORDER BY t::text COLLATE "C") TO STDOUT').format(
                Identifier(schema, table)
            )
            with connection.cursor().copy(query) as copy:
                rows[table] = [bytes(line).decode() for line in copy]
    return rows


def replayed(database: str, history: FullHistory, sizes: Sequence[int], schema: str) -> dict[str, list[str]]:
    """Return the rows that the log gives when it is applied to empty tables in batches of these sizes, in rotation."""
    with Datastore(database, schema, 4) as datastore, datastore.migrating() as migrating:
        projectors = [
            Projector(datastore, each.view, in_batches(history.rollcall.events.read_log, sizes))
            for each in history.rollcall.projectors
        ]
        for each in projectors:
            each.migrate(migrating)
            with datastore.connect() as connection:
                advance_to_the_end(each, connection)
    return dumped(database, projectors, schema)


def in_batches(read_log: ReadLog, sizes: Sequence[int]) -> ReadLog:
    """Return a log that gives so many events at a time, beside the one that the view showed last."""
    size = cycle(sizes)
    return lambda after, limit, until, kinds: read_log(after, next(size) + limit - BATCH, until, kinds)


def test_every_type_of_event_happens(history: FullHistory, database: str) -> None:
    """Otherwise the tests below would show less than they claim."""
    happened = {type(record.event) for record in history.rollcall.events.read_log(0, 10_000)}
    assert happened == set(members(Event))
    assert all(dumped(database, history.rollcall.projectors).values()), "every table has rows"


def test_the_rows_do_not_depend_on_how_the_events_were_batched(history: FullHistory, database: str) -> None:
    """Handlers take runs of events, and must write the same as for each event alone."""
    rows = dumped(database, history.rollcall.projectors)
    for number, sizes in enumerate(([1], [2], [3, 1, 7], [13, 5], [500])):
        assert replayed(database, history, sizes, f"replayed_{number}") == rows, sizes


def test_a_rebuild_gives_the_same_rows(history: FullHistory, database: str) -> None:
    before = dumped(database, history.rollcall.projectors)
    for each in history.rollcall.projectors:
        assert each.rebuild() == history.rollcall.events.head()
        assert dumped(database, history.rollcall.projectors) == before, each.view.name
    assert scratch_schemas(database) == []


def test_every_view_is_tested(idle: Rollcall) -> None:
    assert [each.view.name for each in idle.projectors] == VIEWS


def test_a_rebuild_repairs_wrong_rows(history: FullHistory, database: str) -> None:
    before = dumped(database, history.rollcall.projectors)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE rollcall.directory_groups SET name = 'wrong'")
        connection.execute("DELETE FROM rollcall.directory_members")
    history.projectors["directory"].rebuild()
    assert dumped(database, history.rollcall.projectors) == before


def test_a_rebuilt_view_continues_with_new_events(history: FullHistory, database: str) -> None:
    for each in history.rollcall.projectors:
        each.rebuild()
    with working(history.rollcall, commits=False):
        uploaded(history.rollcall, history.origin, "more.csv", "Groupname,Email\nMore,user0@example.com\n")
        in_one_append(history.rollcall, history.origin, (uuid4(), GroupCreated("More", ())))
        assert history.rollcall.health.catch_up()
    assert replayed(database, history, [500], "replayed") == dumped(database, history.rollcall.projectors)


def test_a_rebuild_never_gets_ahead_of_the_current_view(history: FullHistory, database: str) -> None:
    """Nobody may read less than a moment before."""
    with history.rollcall.views() as cursor:
        before = [row.number for row in audit_log.audit_log(cursor, history.origin.subscription_id, limit=1_000)]
    in_one_append(history.rollcall, history.origin, (uuid4(), GroupCreated("Later", ())))
    assert history.projectors["audit_log"].rebuild() == history.rollcall.events.head() - 1
    with history.rollcall.views() as cursor:
        after = [row.number for row in audit_log.audit_log(cursor, history.origin.subscription_id, limit=1_000)]
    assert after == before
    with working(history.rollcall, commits=False):
        assert history.rollcall.health.catch_up()
    assert replayed(database, history, [500], "replayed") == dumped(database, history.rollcall.projectors)


def test_an_empty_view_can_be_rebuilt(server: str, template: str) -> None:
    with cloned(server, template) as conninfo, composed(settings_for(conninfo)) as rollcall:
        assert [each.rebuild() for each in rollcall.projectors] == [0] * len(VIEWS)


# --- while others work ----------------------------------------------------------------------------------------------


def everything_read(history: FullHistory) -> None:
    """Run every query and check that it finds something."""
    rollcall, subscription = history.rollcall, history.origin.subscription_id
    with rollcall.views() as cursor:
        assert directory.subscriptions(cursor)
        found = directory.groups(cursor, subscription)
        assert found
        assert [row for row in found if directory.user_emails(cursor, subscription, row.id)]
        imports = import_list.imports(cursor, subscription, limit=None)  # the committed one is the oldest
        committed = imports[-1].id
        assert groups_added.groups_added(cursor, subscription, committed)
        assert groups_added.groups_skipped(cursor, subscription, committed)
        assert group_events.group_events(cursor, subscription)
        assert audit_log.audit_log(cursor, subscription)
        roster = review_roster(history, imports[-1])
        assert problems(cursor, subscription, committed, roster)
        assert review.groups(cursor, subscription, committed, roster)
        assert reviewed_users(cursor, subscription, committed, roster, 1)


def review_roster(history: FullHistory, row: import_list.ImportRow) -> StoredRoster:
    assert row.read
    return stored_roster(history.rollcall, row.subscription_id, row.read.roster)


def test_a_rebuild_disturbs_neither_readers_nor_the_projector(
    history: FullHistory, database: str, compose: Callable[[], Rollcall]
) -> None:
    """Readers never see an error or an empty view, and no event is lost or applied twice."""
    elsewhere = compose()
    names = iter(range(1_000_000))

    def write() -> None:
        group = uuid4()
        in_one_append(
            history.rollcall,
            history.origin,
            (group, GroupCreated(f"G{next(names)}", ("user0@example.com",))),
            (group, UsersAddedToGroup(("user1@example.com",))),
        )
        uploaded(history.rollcall, history.origin, "more.csv", f"Groupname,Email\nM{next(names)},user0@example.com\n")

    with (
        working(history.rollcall, commits=False),
        again_and_again(lambda: everything_read(history)),
        again_and_again(lambda: everything_read(history)),
        again_and_again(write),
    ):
        for each in [*elsewhere.projectors, *elsewhere.projectors]:
            each.rebuild()
        assert history.rollcall.health.catch_up()
    with working(history.rollcall, commits=False):
        assert history.rollcall.health.catch_up()
    assert replayed(database, history, [500], "replayed") == dumped(database, history.rollcall.projectors)


def test_a_reader_of_two_tables_does_not_fail_when_they_are_swapped(history: FullHistory, database: str) -> None:
    """Each holds a table that the other waits for: the reader must win."""
    tables = list(history.projectors["review"].view.tables)
    before = dumped(database, history.rollcall.projectors)
    with psycopg.connect(database) as reader, psycopg.connect(database, autocommit=True) as looking:
        reader.execute(SQL("SELECT FROM {}").format(Identifier("rollcall", tables[-1])))
        rebuilding = Running(history.projectors["review"].rebuild)
        eventually(lambda: somebody_waits_for_a_lock(looking))
        for table in tables:
            assert reader.execute(SQL("SELECT FROM {}").format(Identifier("rollcall", table))).rowcount
        reader.rollback()
        rebuilding.result()
    assert dumped(database, history.rollcall.projectors) == before


# --- what goes wrong ------------------------------------------------------------------------------------------------


class PulledThePlugError(Exception):
    pass


class CrashingLog:
    """A log that can be read a number of times, seven events at a time, and then fails."""

    def __init__(self, read_log: ReadLog, times: int) -> None:
        self._read_log = read_log
        self._left = times

    def __call__(self, after: int, _: int, until: int | None, kinds: Sequence[type] | None) -> list[Record]:
        if not self._left:
            raise PulledThePlugError
        self._left -= 1
        return self._read_log(after, 7, until, kinds)


def test_a_rebuild_that_crashed_leaves_the_view_as_it_was_and_the_next_succeeds(
    history: FullHistory, database: str
) -> None:
    before = dumped(database, history.rollcall.projectors)
    for each in history.rollcall.projectors:
        log = CrashingLog(history.rollcall.events.read_log, 3)
        with pytest.raises(PulledThePlugError):
            Projector(history.rollcall.datastore, each.view, log).rebuild()
        assert dumped(database, history.rollcall.projectors) == before
        each.rebuild()
        assert dumped(database, history.rollcall.projectors) == before
    assert scratch_schemas(database) == []


def test_a_rebuild_that_cannot_swap_gives_up(
    history: FullHistory, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "SWAP_ATTEMPTS", 2)
    monkeypatch.setattr(projector, "SWAP_LOCK_TIMEOUT", "10ms")
    with psycopg.connect(database) as reader:
        reader.execute("SELECT FROM rollcall.audit_log")
        with pytest.raises(ViewBusy):
            history.projectors["audit_log"].rebuild()
        assert reader.execute("SELECT FROM rollcall.audit_log").rowcount
    history.projectors["audit_log"].rebuild()


def test_a_rebuild_stops_when_another_one_starts(history: FullHistory, database: str) -> None:
    """Both build the same tables: the first must neither write to those of the second nor swap them in."""
    before = dumped(database, history.rollcall.projectors)
    datastore, read_log = history.rollcall.datastore, history.rollcall.events.read_log
    later = [Projector(datastore, DIRECTORY, CrashingLog(read_log, 1))]

    def overtaken(after: int, _: int, until: int | None, kinds: Sequence[type] | None) -> list[Record]:
        if after and later:
            with pytest.raises(PulledThePlugError):
                later.pop().rebuild()
        return read_log(after, 7, until, kinds)

    with pytest.raises(RebuildSuperseded):
        Projector(datastore, DIRECTORY, overtaken).rebuild()
    assert dumped(database, history.rollcall.projectors) == before


WARM = 15
"""After so many batches, a connection has cached all that it looks up in PostgreSQL's catalogues for the next one."""


class SlowlyBegunProjector(Projector):
    """Begins a rebuild, and ends that only once somebody waits for it."""

    def __init__(self, database: Datastore, view: View, read_log: ReadLog) -> None:
        super().__init__(database, view, read_log)
        self.has_begun = threading.Event()
        self._conninfo = database.conninfo

    def _create(self, cursor: ViewCursor) -> None:
        super()._create(cursor)
        self.has_begun.set()
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            eventually(lambda: somebody_waits_for_a_lock(connection))


def test_a_rebuild_that_waited_while_another_one_started_writes_nothing(history: FullHistory, database: str) -> None:
    """PostgreSQL's functions that look up a schema may say what was so before a wait: its cache hears of it later.

    The first rebuild then wrote what was next to the tables of the second one, which served these rows with its own.
    """
    before = dumped(database, history.rollcall.projectors)
    datastore, read_log = history.rollcall.datastore, history.rollcall.events.read_log
    readings, has_stopped = count(), threading.Event()

    def read_later(after: int, limit: int, until: int | None, kinds: Sequence[type] | None) -> list[Record]:
        assert has_stopped.wait(GENEROUS_SECONDS)
        return read_log(after, limit, until, kinds)

    second = SlowlyBegunProjector(datastore, GROUP_EVENTS, read_later)
    running = list[Running[int | None]]()

    def overtaken(after: int, _: int, until: int | None, kinds: Sequence[type] | None) -> list[Record]:
        if next(readings) == WARM:
            running.append(Running(second.rebuild))
            assert second.has_begun.wait(GENEROUS_SECONDS)
        return read_log(after, 2, until, kinds)

    with pytest.raises(RebuildSuperseded):
        Projector(datastore, GROUP_EVENTS, overtaken).rebuild()
    has_stopped.set()
    running[0].result()
    assert dumped(database, history.rollcall.projectors) == before


def test_the_longest_schema_name_is_safe(database: str, history: FullHistory) -> None:
    """PostgreSQL cuts names at 63 bytes: the schema for a rebuild must not end up with the name of the original."""
    schema = "s" * 63
    with Datastore(database, schema, 4) as datastore, datastore.migrating() as migrating:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(SQL("CREATE TABLE {} ()").format(Identifier(schema, "precious")))
        for each in history.rollcall.projectors:
            projector = Projector(datastore, each.view, history.rollcall.events.read_log)
            projector.migrate(migrating)
            projector.rebuild()
    with psycopg.connect(database) as connection:
        connection.execute(SQL("SELECT FROM {}").format(Identifier(schema, "precious")))


def test_a_second_projector_of_a_view_writes_nothing(history: FullHistory, database: str) -> None:
    before = dumped(database, history.rollcall.projectors)
    with history.rollcall.datastore.connect() as connection:
        for each in history.rollcall.projectors:
            with pytest.raises(ViewMoved):
                each.advance(connection, Bookmark())
    assert dumped(database, history.rollcall.projectors) == before


def scratch_schemas(database: str) -> list[str]:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'"
            " AND nspname NOT IN ('public', 'rollcall', 'information_schema')"
        ).fetchall()
    return [name for (name,) in rows]
