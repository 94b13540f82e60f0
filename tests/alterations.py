"""Alter a log in every way that somebody who can write to the database could, and look whether it is found.

`make test-alterations ARGS="--count 10000 --untouched 1000 --seed 1"`, on an embedded server of its own or on
ROLLCALL_TEST_DATABASE_URL. Each alteration is made in PostgreSQL, checked as `rollcall audit verify` does, and rolled
back. It prints the figures by kind, and fails if an alteration isn't found, if another record is named than the first
that was altered, or if anything is found in an untouched log.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from psycopg import Rollback
from rich.console import Console

from adapters.composition import composed
from adapters.memory.ports import AlwaysReadable
from adapters.postgres.sealed_log import SealedLog
from application.forgetting import forget
from application.verifying import Finding, verify
from domain.leaves import TILE, commitment
from domain.merkle import root_of
from domain.signed_note import Checkpoint
from tests.bench.servers import database, postgres
from tests.conftest import settings_for, subscribed
from tests.following import following
from tests.histories import USERS, everything_happens, run_commit, uploaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from psycopg import Connection, Cursor
    from psycopg.rows import DictRow

    from adapters.composition import Rollcall
    from adapters.postgres.datastore import Datastore

CONSOLE = Console(width=120, highlight=False)


class OneConnection:
    """The datastore of a tree that somebody looks at, and alters, in one transaction."""

    def __init__(self, connection: Connection[DictRow]) -> None:
        self.connection = connection

    @contextmanager
    def views(self) -> Iterator[Cursor[DictRow]]:
        with self.connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor[DictRow]]:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            yield cursor


class Row(NamedTuple):
    """A sealed record: its number among all from 1, its position, that of its append, and its subscription."""

    number: int
    position: int
    append: int
    subscription: UUID
    topic: str


class Log:
    """A sealed log with checkpoints that are kept elsewhere, and what one can do to it."""

    def __init__(self, connection: Connection[DictRow], random: Random) -> None:
        self.connection = connection
        self.random = random
        self.tree = SealedLog(cast("Datastore", OneConnection(connection)))
        self.rows = self._rows()
        self.checkpoints = sealed_at_random(self.tree, random, len(self.rows))

    def _rows(self) -> list[Row]:
        found = self.connection.execute("SELECT * FROM events ORDER BY notification_id")
        return [
            Row(number, row["notification_id"], row["append_position"], row["subscription_id"], row["topic"])
            for number, row in enumerate(found, start=1)
        ]

    def do(self, statement: str, *given: object) -> int:
        """Carry out a statement, and return how many rows it changed."""
        return self.connection.execute(cast("Any", statement), given).rowcount

    def one(self) -> Row:
        """Draw a record."""
        return self.random.choice(self.rows)

    def two(self) -> tuple[Row, Row]:
        """Draw two records, the earlier one first."""
        first, second = sorted(self.random.sample(self.rows, 2))
        return first, second

    def first_of(self, append: int) -> int:
        """Return the number of the first record of an append."""
        return next(row.number for row in self.rows if row.append == append)


def sealed_at_random(tree: SealedLog, random: Random, count: int) -> list[Checkpoint]:
    """Seal a log in steps of any size, and return checkpoints of some of the trees, the last one among them."""
    checkpoints = []
    while tree.seal(random.randint(1, count)):
        if random.random() < 0.7:
            checkpoints.append(checkpoint(tree))
    return [*checkpoints, checkpoint(tree)]


def checkpoint(tree: SealedLog) -> Checkpoint:
    size = tree.size()
    return Checkpoint("rollcall.example/log", size, root_of(size, tree.subtree))


# --- alterations: each returns the number of the first record that no longer fits, or None if nothing was altered ----


def edit_event(log: Log) -> int | None:
    """Change a column of an event."""
    row, bit = log.one(), log.random.randrange(8)
    where = "WHERE notification_id = %s"
    change = log.random.choice(
        [
            "state = set_byte(state, length(state) / 2, get_byte(state, length(state) / 2) # (1 << %s))",
            "state = state || decode(repeat('20', %s + 1), 'hex')",
            "topic = topic || repeat('s', %s + 1)",
            "originator_id = gen_random_uuid(), originator_version = originator_version + 0 * %s",
            "originator_version = originator_version + 1000 + %s",
            "import_group = coalesce(import_group, -2) + 1 + %s",
            "import_group = nullif(coalesce(import_group, %s), import_group)",
        ]
    )
    log.do(f"UPDATE events SET {change} {where}", bit, row.position)
    return row.number


def edit_append(log: Log) -> int | None:
    """Change a column of an append: who did it, when, by which request, in which subscription."""
    row = log.one()
    change = log.random.choice(
        [
            "at = at + interval '1 microsecond'",
            "id = gen_random_uuid()",
            "subscription_id = gen_random_uuid()",
            'origin = origin || \'{"request_id": "another"}\'',
            "origin = jsonb_set(origin, '{actor,name}', '\"Somebody else\"')",
            "origin = origin - 'request_id'",
        ]
    )
    log.do(f"UPDATE appends SET {change} WHERE position = %s", row.append)
    return log.first_of(row.append)


def delete(log: Log) -> int | None:
    """Delete a record or a few; sometimes the row of an append only."""
    if log.random.random() < 0.2:
        append = log.one().append
        log.do("DELETE FROM appends WHERE position = %s", append)
        return log.first_of(append)
    first = log.random.choice(log.rows[:-1])  # to delete the last ones is to cut
    last = min(first.number + log.random.randrange(5), len(log.rows) - 1)
    log.do("DELETE FROM events WHERE notification_id BETWEEN %s AND %s", first.position, log.rows[last - 1].position)
    return first.number


def insert(log: Log) -> int | None:
    """Insert a copy of a record where the log has a gap, as another version or in another stream."""
    taken = {row.position for row in log.rows}
    gaps = [number for number in range(1, log.rows[-1].position) if number not in taken]
    gap, copied = log.random.choice(gaps), log.one()
    log.do(
        "INSERT INTO events SELECT %s, append_position, gen_random_uuid(), 1, subscription_id, import_group, topic,"
        " state FROM events WHERE notification_id = %s",
        gap,
        copied.position,
    )
    return next(row.number for row in log.rows if row.position > gap)


def swap(log: Log) -> int | None:
    """Let two records change places, or what they say."""
    first, second = log.two()
    if log.random.random() < 0.5:
        moves = (first.position, -1), (second.position, first.position), (-1, second.position)
        for before, after in moves:
            log.do("UPDATE events SET notification_id = %s WHERE notification_id = %s", after, before)
        return first.number
    changed = log.do(
        "UPDATE events AS e SET state = other.state, topic = other.topic FROM events AS other"
        " WHERE (e.notification_id, other.notification_id) IN ((%s, %s), (%s, %s))"
        " AND (e.state, e.topic) IS DISTINCT FROM (other.state, other.topic)",
        first.position,
        second.position,
        second.position,
        first.position,
    )
    return first.number if changed else None


def cut(log: Log) -> int | None:
    """Cut off the end of the log, and the tree with it, as if it had never been."""
    first = log.random.choice(log.rows)
    log.do("DELETE FROM events WHERE notification_id >= %s", first.position)
    truncate(log, first.number - 1)
    return first.number


def rewrite(log: Log) -> int | None:
    """Alter a record, or cut off the end and append others, and make the tree again from there on."""
    number = log.random.choice([edit_event, edit_append, delete, insert, swap, splice])(log)
    if number is None:
        return None
    truncate(log, number - 1)
    while log.tree.seal():
        pass
    return number


def splice(log: Log) -> int | None:
    """Put a record of another subscription in the place of one, or move a record to another subscription."""
    row = log.one()
    other = log.random.choice([each for each in log.rows if each.subscription != row.subscription])
    if log.random.random() < 0.5:
        log.do("UPDATE events SET subscription_id = %s WHERE notification_id = %s", other.subscription, row.position)
        return row.number
    changed = log.do(
        "UPDATE events AS e SET state = other.state, topic = other.topic, append_position = other.append_position,"
        " subscription_id = other.subscription_id FROM events AS other"
        " WHERE e.notification_id = %s AND other.notification_id = %s",
        row.position,
        other.position,
    )
    return row.number if changed else None


def alter_tree(log: Log) -> int | None:
    """Change a bit of the tree itself: a hash, a salt, a position, a node."""
    column = log.random.choice(["positions", "event_salts", "origin_salts", "hashes", "nodes"])
    bit = log.random.randrange(8)
    if column == "nodes":
        flipped = f"set_byte(hashes, 5, get_byte(hashes, 5) # (1 << {bit}))"
        log.do(f"UPDATE tree_nodes SET hashes = {flipped} WHERE level = 1")
        return 1
    width = {"positions": 8, "event_salts": 16, "origin_salts": 16, "hashes": 32}[column]
    row = log.one()
    tile, at = divmod(row.number - 1, TILE)
    byte = at * width + log.random.randrange(width)
    flipped = f"set_byte({column}, {byte}, get_byte({column}, {byte}) # (1 << {bit}))"
    log.do(f"UPDATE tree_leaves SET {column} = {flipped} WHERE number = %s", tile)
    return row.number


def truncate(log: Log, size: int) -> None:
    """Leave the first leaves of the tree, and what is above them, as if there had never been more."""
    tile, left = divmod(size, TILE)
    log.do("DELETE FROM tree_leaves WHERE number > %s OR (number = %s AND %s = 0)", tile, tile, left)
    parts = {"positions": 8, "event_salts": 16, "origin_salts": 16, "hashes": 32}
    shorter = ", ".join(f"{column} = substring({column} FOR {left * width})" for column, width in parts.items())
    last = log.rows[size - 1].position if size else 0
    log.do(f"UPDATE tree_leaves SET last_position = %s, {shorter} WHERE number = %s", last, tile)
    log.do("DELETE FROM erasures WHERE position > %s", last)
    log.do("DELETE FROM tree_nodes WHERE level > 1 OR number * 256 > %s", tile)
    log.do("UPDATE tree_nodes SET hashes = substring(hashes FOR %s - number::int * 256 * 32)", tile * 32)
    log.do("DELETE FROM tree_nodes WHERE length(hashes) = 0")


def erase(log: Log) -> int | None:
    """Replace what an event says, and keep its commitment, as if a person had been forgotten: no event says so."""
    kept_already = log.tree.erased()
    row = log.random.choice([each for each in log.rows if each.position not in kept_already])
    sealed = log.tree.sealed(row.position)
    assert sealed
    _, record, salts = sealed
    kept = commitment(salts.events[0], record.states[0])
    log.do("INSERT INTO erasures (position, event_commitment) VALUES (%s, %s)", row.position, kept)
    log.do("UPDATE events SET state = '{}' WHERE notification_id = %s", row.position)
    return row.number


def keep_otherwise(log: Log) -> int | None:
    """Alter what is kept of a record that was erased, or what took the place of its text."""
    erased = log.connection.execute("SELECT position FROM erasures WHERE event_commitment IS NOT NULL").fetchall()
    position = log.random.choice([each["position"] for each in erased])
    change = log.random.choice(
        [
            "UPDATE erasures SET event_commitment = sha256(event_commitment) WHERE position = %s",
            "DELETE FROM erasures WHERE position = %s",
            "UPDATE events SET state = state || '\\x20' WHERE notification_id = %s",
        ]
    )
    log.do(change, position)
    return next(row.number for row in log.rows if row.position == position)


ALTERATIONS: tuple[Callable[[Log], int | None], ...] = (
    edit_event,
    edit_append,
    delete,
    insert,
    swap,
    cut,
    rewrite,
    splice,
    alter_tree,
    erase,
    keep_otherwise,
)


class Figures(NamedTuple):
    """How many alterations of each kind were made, were found, and had their first record named."""

    made: Counter[str]
    found: Counter[str]
    named: Counter[str]


def alter_many(log: Log, count: int) -> Figures:
    """Make alterations one at a time, and undo each after looking whether it is found."""
    made, found, named = Counter[str](), Counter[str](), Counter[str]()
    while made.total() < count:
        alter = ALTERATIONS[made.total() % len(ALTERATIONS)]
        with log.connection.transaction():
            number = alter(log)
            if number is not None:
                result = verify(log.tree, log.checkpoints)
                made[alter.__name__] += 1
                found[alter.__name__] += result.finding is not None
                named[alter.__name__] += is_named(log, alter, result.finding, number)
            raise Rollback
    return Figures(made, found, named)


def is_named(log: Log, alter: Callable[[Log], int | None], finding: Finding | None, number: int) -> bool:
    """Return whether a finding names the first record that was altered, or the records since the last checkpoint."""
    if finding and finding.kind == "erased" and finding.number < number:
        # What was altered is the event that names the erased record, which comes later.
        last = number if alter is erase else len(log.rows)
        return any(row.topic == "person.forgotten" for row in log.rows[number - 1 : last])
    if finding is None or not finding.number <= number <= finding.last:
        return False
    since = max((each.size for each in log.checkpoints if each.size < number), default=0) + 1
    return finding.number == (since if alter in {cut, rewrite} else number)


def leave_untouched(log: Log, count: int) -> int:
    """Seal the beginnings of the log anew, in steps of any size, while it grows, and count what is found in them."""
    alarms = 0
    for _ in range(count):
        with log.connection.transaction():
            for table in ("tree_leaves", "tree_nodes", "erasures"):
                log.do(f"DELETE FROM {table}")
            kept = log.random.choice(log.rows).position
            log.do(
                "CREATE TEMPORARY TABLE later ON COMMIT DROP AS SELECT * FROM events WHERE notification_id > %s", kept
            )
            log.do("DELETE FROM events WHERE notification_id > %s", kept)
            checkpoints = sealed_at_random(log.tree, log.random, len(log.rows))
            log.do("INSERT INTO events SELECT * FROM later")
            alarms += verify(log.tree, checkpoints).finding is not None
            checkpoints += sealed_at_random(log.tree, log.random, len(log.rows))
            alarms += verify(log.tree, checkpoints).finding is not None
            raise Rollback
    return alarms


def prepare(rollcall: Rollcall) -> None:
    """Write a log in which everything happens, of three tiles, with gaps as appends leave them that are rolled back."""
    with pytest.MonkeyPatch.context() as patched:
        origin = everything_happens(rollcall, patched)
    forget(following(rollcall), rollcall.erasure, origin, USERS[1])
    origin = subscribed(rollcall, *USERS)
    for number in range(4):
        with rollcall.datastore.views() as cursor:
            cursor.execute("SELECT setval('positions', nextval('positions') + 3)")
        groups = "".join(f"Group {number} {group},{USERS[group % len(USERS)]}\n" for group in range(70))
        run_commit(rollcall, uploaded(rollcall, origin, "groups.csv", f"Groupname,Email\n{groups}"))


@contextmanager
def altered_log(rollcall: Rollcall, seed: int) -> Iterator[Log]:
    """Yield a log to alter; afterwards all is as it was."""
    with rollcall.datastore.connect() as connection, connection.transaction():
        yield Log(connection, Random(seed))  # noqa: S311 - a seed repeats a run
        raise Rollback


def main() -> int:
    """Alter, print the figures, and return 1 if something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--untouched", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with (
        postgres() as server,
        database(server) as conninfo,
        composed(settings_for(conninfo), readable=AlwaysReadable()) as rollcall,
    ):
        prepare(rollcall)
        with altered_log(rollcall, given.seed) as log:
            CONSOLE.print(f"{len(log.rows):,} records, {len(log.checkpoints)} checkpoints, seed {given.seed}")
            figures = alter_many(log, given.count)
            alarms = leave_untouched(log, given.untouched)
    for kind, made in figures.made.items():
        found, named = figures.found[kind], figures.named[kind]
        CONSOLE.print(f"{kind:14} {made:>7,} made {found:>7,} found {named:>7,} named rightly")
    CONSOLE.print(f"{given.untouched:,} untouched logs, {alarms} false alarms")
    return int(figures.made != figures.found or figures.made != figures.named or alarms > 0)


if __name__ == "__main__":
    sys.exit(main())
