"""The claims are state beside the events, and must agree with them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.committing import start_commit
from application.grouping import create_group, delete_group, rename_group
from application.licensing import revoke_licences
from application.ports import NO_CLAIMS, Claim, Claims, NoJoins, RequestKey
from application.records import NewRecord
from domain.group import GroupDeleted
from tests.application.test_importing import uploaded
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.view import ViewCursor

pytestmark = pytest.mark.database

APPENDED_TO = ("claims", "appends", "events", "request_keys")


def test_claims_agree_with_the_events(rollcall: Rollcall) -> None:
    for name in ("Sales", "Europe"):
        origin = importing_as(subscribed(rollcall, "ann@example.com", "ben@example.com"))
        uploaded(rollcall, origin, f"Groupname,Email\n{name},ann@example.com\nBoth,ben@example.com\n".encode())
        start_commit(rollcall, origin, 2)
    _until_nothing_commits(rollcall)
    create_group(rollcall, origin, renamed := uuid4(), "Third", ["ann@example.com"])
    create_group(rollcall, origin, deleted := uuid4(), "Fourth")
    rename_group(rollcall, origin, renamed, "Fourth and last")
    rename_group(rollcall, origin, renamed, "FOURTH AND LAST")
    delete_group(rollcall, origin, deleted)
    revoke_licences(rollcall, origin, ["ann@example.com"])
    rollcall.health.catch_up()
    with rollcall.views() as cursor:
        shown = cursor.execute(
            """
            SELECT subscription_id, 'group-name', name_key FROM directory_groups
            UNION ALL SELECT subscription_id, 'licence', email FROM directory_licences ORDER BY 1, 2, 3
            """
        ).fetchall()
        claimed = cursor.execute("SELECT subscription_id, kind, key FROM claims ORDER BY 1, 2, 3").fetchall()
    assert [tuple(row.values()) for row in claimed] == [tuple(row.values()) for row in shown]
    assert len(claimed) == 8


def test_claims_are_looked_up_by_their_index_however_few_there_were(unattended: Rollcall) -> None:
    origin = subscribed(unattended, "ann@example.com")
    subscription = origin.subscription_id

    def looked_up() -> None:
        assert unattended.events.licensed(subscription, ["ann@example.com"]).users == {"ann@example.com"}
        assert unattended.events.held(subscription, "group-name", ["sales"]) == {}

    with unattended.datastore.one_connection(), unattended.views() as cursor:
        cursor.execute("ALTER TABLE claims SET (autovacuum_enabled = off)")
        cursor.execute("ANALYZE claims")
        for _ in range(10):  # PostgreSQL keeps a plan by then, if it may
            looked_up()
        cursor.execute(
            "INSERT INTO claims SELECT %s, 'licence', number::text, %s FROM generate_series(1, 100000) AS number",
            (subscription, subscription),
        )
        before = _claims_read(cursor)
        looked_up()
        assert _claims_read(cursor) == before


def _claims_read(cursor: ViewCursor) -> int:
    """Return how many claims this process has read without an index."""
    cursor.execute("SELECT pg_stat_force_next_flush()")
    row = cursor.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'claims'").fetchone()
    assert row
    return int(row["seq_tup_read"])


ASKED: dict[str, Callable[[UUID, int], Claims]] = {
    "nothing": lambda _own, _n: NO_CLAIMS,
    "a claim to take": lambda own, n: Claims(taken=(Claim("licence", f"new{n}@example.com", own),)),
    "a claim to release": lambda own, _n: Claims(released=(Claim("licence", "ben@example.com", own),)),
    "a claim to rely on": lambda own, _n: Claims(relied_on=(Claim("licence", "ann@example.com", own),)),
    "no licence revoked": lambda _own, _n: Claims(licences_at=1_000),
    "no group joined": lambda _own, _n: Claims(no_joins=NoJoins(frozenset({"ann@example.com"}), 1_000)),
    "a request": lambda _own, n: Claims(request=RequestKey(f"key {n}", uuid4())),
}


@pytest.mark.parametrize("are_analysed", [False, True])
@pytest.mark.parametrize("asked", ASKED)
def test_an_append_looks_everything_up_by_an_index_however_little_there_was(
    unattended: Rollcall, asked: str, *, are_analysed: bool
) -> None:
    origin = subscribed(unattended, "ann@example.com")
    numbers, stream = count(1), uuid4()

    def append() -> None:
        number = next(numbers)
        events = [NewRecord(stream, 2 * number + after, GroupDeleted("Sales")) for after in (0, 1)]
        unattended.events.append(origin, events, ASKED[asked](origin.subscription_id, number))

    with unattended.datastore.one_connection(), unattended.views() as cursor:
        for table in APPENDED_TO:
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
            if are_analysed:
                cursor.execute(f"ANALYZE {table}".encode())
        for _ in range(10):
            append()
        cursor.execute(
            "INSERT INTO claims SELECT %s, 'licence', number::text, %s FROM generate_series(1, 100000) AS number",
            (origin.subscription_id, origin.subscription_id),
        )
        before = _rows_read(cursor)
        append()
        scanned, fetched = (now - then for now, then in zip(_rows_read(cursor), before, strict=True))
    assert scanned == 0
    assert fetched < 10


def _rows_read(cursor: ViewCursor) -> tuple[int, int]:
    """Return how many rows appends have read without an index, and by one."""
    cursor.execute("SELECT pg_stat_force_next_flush()")
    row = cursor.execute(
        """
        SELECT sum(seq_tup_read) AS scanned, sum(idx_tup_fetch) AS fetched
        FROM pg_stat_user_tables WHERE relname = ANY(%s)
        """,
        (list(APPENDED_TO),),
    ).fetchone()
    assert row
    return int(row["scanned"]), int(row["fetched"])


def test_each_claim_belongs_to_the_stream_that_it_was_taken_for(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall)
    own, sales, europe = origin.subscription_id, uuid4(), uuid4()
    taken = (
        Claim("licence", "ann@example.com", own),
        Claim("group-name", "sales", sales),
        Claim("group-name", "europe", europe),
        Claim("licence", "ben@example.com", own),
        Claim("group-name", "own", own),
    )
    rollcall.events.append(origin, [], Claims(taken=taken))
    for kind in ("licence", "group-name"):
        wanted = {claim.key: claim.stream for claim in taken if claim.kind == kind}
        assert rollcall.events.held(own, kind, wanted) == wanted


def _until_nothing_commits(rollcall: Rollcall) -> None:
    from projections.import_list import read as import_list

    def nothing_commits() -> bool:
        with rollcall.views() as cursor:
            return not import_list.run_queue(cursor)

    for _ in range(60):
        count = rollcall.wakeups.count_changes("import_list")
        rollcall.health.catch_up()
        if nothing_commits():
            return
        rollcall.wakeups.wait_for_change("import_list", count)
    pytest.fail("the commits did not end")
