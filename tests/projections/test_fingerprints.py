"""A view's version stands for what its handlers do. This is where you are told to raise it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from adapters.memory.ports import AlwaysReadable
from tests import conftest, histories
from tests.conftest import Compose, advance_views

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

HISTORY = "5f0333b979c445cb"
RECORDED = {
    "directory": ("7-e6e68f765684cbcc", "395b9ba1b36f6608"),
    "review": ("2-2e37d6fb959e7a96", "d3107a46b103df93"),
    "import_list": ("4-61793e849f960756", "72f7ea5dce901866"),
    "groups_added": ("5-993b77dc499ac9d7", "1607c7a4c9712a91"),
    "audit_log": ("7-fd0223016f8b4b72", "e3d7db90da9b4aa7"),
    "group_events": ("6-490c69ce84e08ef7", "33657d4d1f9ef354"),
    "access": ("1-1d8a934528428ff0", "c326fe83ac90b9d1"),
}
"""For each view its fingerprint, and a digest of the rows that the history gives."""
ADVICE = """
The view {view} was {before} and now is {now}: its shape, or the rows that events give.
If a release wrote it as before, raise `version` of the view by one: otherwise a database that was made with that
release keeps its old rows, or an older process rebuilds them. Then record in this file what was found.
"""
ADVICE_ON_HISTORY = """
What `everything_happens` records is now {now}, so the rows had to change, too. If you changed no view, record in this
file what was found. If you did, change the view in a commit of its own first, and see here whether its rows change.
"""


def ids() -> Callable[[], UUID]:
    random = Random(1)  # noqa: S311 - the same ids every time are what is wanted
    return lambda: UUID(int=random.getrandbits(128), version=4)


def clock() -> Callable[[], datetime]:
    seconds = count()
    return lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(seconds))


@pytest.fixture
def fixed(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> Rollcall:
    """Return Rollcall in which everything has happened, with the same ids and times every time."""
    new_id = ids()
    for module in (conftest, histories):
        monkeypatch.setattr(module, "uuid4", new_id)
    monkeypatch.setattr("application.roster_chunks._FASTEST", 0)  # what zlib compresses to depends on its version
    rollcall = compose(readable=AlwaysReadable(), now=clock(), new_id=new_id)
    histories.everything_happens(rollcall, monkeypatch)
    advance_views(rollcall)
    return rollcall


def digest(*lines: str) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def rows_of(database: str, tables: tuple[str, ...]) -> list[str]:
    rows = []
    with psycopg.connect(database) as connection:
        for table in tables:
            query = SQL('COPY (SELECT * FROM {} AS t ORDER BY t::text COLLATE "C") TO STDOUT')
            with connection.cursor().copy(query.format(Identifier("rollcall", table))) as copy:
                rows += [bytes(line).decode() for line in copy]
    return rows


def test_a_view_that_changes_gets_another_version(fixed: Rollcall, database: str) -> None:
    history = digest(*map(repr, fixed.events.read_log(0, 10_000)))
    found = {
        each.view.name: (each.view.fingerprint, digest(*rows_of(database, each.view.tables)))
        for each in fixed.projectors
    }
    changed = [name for name in found if found[name] != RECORDED.get(name)]
    if history != HISTORY:
        pytest.fail(f"{ADVICE_ON_HISTORY.format(now=history)}{found}")
    if changed:
        pytest.fail("".join(ADVICE.format(view=each, before=RECORDED.get(each), now=found[each]) for each in changed))
