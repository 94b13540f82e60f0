"""Rebuilding an import from its events and its stored bytes, to compare that with what every view says of it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, LiteralString, cast

from msgspec import Struct
from msgspec.structs import asdict, replace

from adapters.replays import reviewed_plan, row_at
from application.erased_files import UNEXPLAINED, file_erased
from application.ports import BlobMissing
from application.reading import ReadRoster, read_file
from application.rosters import StoredRoster
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.import_session import EncodingChosen
from domain.problems import FileProblems
from domain.undo import GroupKept, GroupUndone
from projections.reports.audit_filters import AUDITED
from projections.then import review_then

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.composition import Rollcall
    from application.ports import BlobKind
    from application.records import Record
    from domain.import_session import FileUploaded
    from domain.problems import Problem
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor

MISSING = "missing"
RESULT: LiteralString = "SELECT number, position, outcome, already_there, left_out, undone, kept FROM groups_added"


class Difference(Struct, frozen=True):
    """Something that isn't as it should be: what it is, what was expected, and what was found."""

    what: str
    expected: str
    found: str


def differences(rollcall: Rollcall, row: ImportRow) -> list[Difference]:
    """Return where the stored bytes or the views differ from what the events of an import say.

    That a file `is_erased` is no difference.
    """
    records = rollcall.events.history(row.id)
    found = _of_bytes(rollcall, row)
    with rollcall.views() as cursor:
        found += _of_row(rollcall, cursor, row)
        if not found:  # otherwise there may be no roster to compare with
            found += _of_review(rollcall, cursor, row)
        found += _of_result(cursor, row, records)
        found += _of_memberships(cursor, row)
        audited = [each.position for each in records if isinstance(each.event, AUDITED)]
        found += _missing(cursor, "audit log", "audit_log", audited)
    return found


def _of_bytes(rollcall: Rollcall, row: ImportRow) -> list[Difference]:
    stored: list[tuple[str, BlobKind, str]] = []
    if not is_erased(rollcall, row):
        stored.append(("the stored file", "file", row.sha256))
    if row.read is not None:
        stored.append(("the stored roster", "roster", row.read.roster))
    found = ((what, digest, _digest(rollcall, row, kind, digest)) for what, kind, digest in stored)
    return [Difference(what, digest, is_now) for what, digest, is_now in found if digest != is_now]


def is_erased(rollcall: Rollcall, row: ImportRow) -> bool:
    """Return whether the file of an import is gone, and the log says why it may have been erased."""
    erased = file_erased(rollcall, row.subscription_id, row.id, row.sha256)
    return erased is not None and erased.why != UNEXPLAINED


def _digest(rollcall: Rollcall, row: ImportRow, kind: BlobKind, digest: str) -> str:
    read = sha256()
    try:
        for number in range(rollcall.blobs.chunk_count(row.subscription_id, kind, digest)):
            read.update(rollcall.blobs.chunk(row.subscription_id, kind, digest, number))
    except BlobMissing:
        return MISSING
    return read.hexdigest()


def _of_row(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow) -> list[Difference]:
    (first,) = rollcall.events.history(row.id, limit=1)
    file = cast("FileUploaded", first.event)
    rebuilt = replace(
        row_at(rollcall, cursor, row, row.version),
        subscription_id=first.origin.subscription_id,
        file_name=file.file_name,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        uploaded_by=first.origin.actor,
        uploaded_at=first.at,
    )
    shown = replace(row, progress=replace(row.progress, eta_seconds=None, last_error=None))
    return _compared("list of imports", asdict(rebuilt), asdict(shown))


def _compared(where: str, expected: dict[str, Any], found: dict[str, Any]) -> list[Difference]:
    return [
        Difference(f"{where}: {name}", str(value), str(found[name]))
        for name, value in expected.items()
        if value != found[name]
    ]


def _of_review(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow) -> list[Difference]:
    """Compare each table of the review with the relation that the events and the roster give."""
    plan = reviewed_plan(cursor, row, row.version)
    if plan is None:
        return []
    problems = list(rollcall.rosters.open(row.subscription_id, plan.roster).problems())
    differing = []
    for table, relation in review_then(row.id, plan, problems).items():
        cursor.execute(f"SELECT * FROM ({relation}) AS t LIMIT 0".encode())
        names = ", ".join(column.name for column in cursor.description or ())
        stored = f"SELECT {names} FROM {table} WHERE import_id = '{row.id}'"
        rebuilt = f"SELECT {names} FROM ({relation}) AS t"
        cursor.execute(
            f"SELECT (SELECT count(*) FROM ({rebuilt} EXCEPT {stored}) AS t) AS lacking,"
            f" (SELECT count(*) FROM ({stored} EXCEPT {rebuilt}) AS t) AS surplus".encode()
        )
        (counts,) = cursor
        if counts["lacking"] or counts["surplus"]:
            extent = f"{counts['lacking']} missing, {counts['surplus']} too many"
            differing.append(Difference(f"review: {table}", "what the events say", extent))
    return differing


def _of_result(cursor: ViewCursor, row: ImportRow, records: Sequence[Record]) -> list[Difference]:
    undone = {
        each.event.group: each for each in records if isinstance(each.event, GroupUndone | GroupKept)
    }  # the last of each
    expected: set[tuple[Any, ...]] = set()
    left_out: set[tuple[Any, ...]] = set()
    for each in records:
        match each.event:
            case GroupAdded(group=number, left_out=count) | GroupSkipped(group=number, left_out=count):
                last = undone.get(number)
                kept = bool(last and cast("GroupUndone | GroupKept", last.event).changes > 0)
                added = each.event if isinstance(each.event, GroupAdded) else None
                outcome = (added.outcome, added.users_already_there > 0) if added else ("skipped", False)
                expected.add((number, each.position, *outcome, count, last.position if last else None, kept))
            case UsersLeftOut(group=number, users=users):
                left_out.update((number, email) for email in users)
    tables: list[tuple[str, LiteralString, set[tuple[Any, ...]]]] = [
        (
            "groups_added",
            "SELECT number, position, outcome, already_there, left_out, undone, kept FROM groups_added",
            expected,
        ),
        ("groups_left_out", "SELECT number, email FROM groups_left_out", left_out),
    ]
    found = []
    for table, query, wanted in tables:
        cursor.execute(f"{query} WHERE import_id = %s", (row.id,))
        stored = {tuple(each.values()) for each in cursor}
        if stored != wanted:
            extent = f"{len(wanted - stored)} missing, {len(stored - wanted)} too many"
            found.append(Difference(f"result: {table}", "what the events say", extent))
    return found


# The groups' own events of an import are in the same appends as those of the import that say so. The events of an
# append follow one another.
GROUP_EVENTS: LiteralString = """
    SELECT e.* FROM (SELECT DISTINCT append_position AS position FROM events WHERE originator_id = %s) AS made
    CROSS JOIN LATERAL (SELECT max(position) AS position FROM appends WHERE position < made.position) AS before
    CROSS JOIN LATERAL (
        SELECT * FROM events AS e
        WHERE e.notification_id > coalesce(before.position, 0) AND e.notification_id <= made.position
          AND e.topic LIKE 'group.%%' OFFSET 0
    ) AS e
"""


def _of_memberships(cursor: ViewCursor, row: ImportRow) -> list[Difference]:
    """Compare the users in the groups' own events of the import with the memberships of the directory."""
    cursor.execute(
        f"""
        SELECT count(*) AS lacking FROM ({GROUP_EVENTS}) AS e
        CROSS JOIN jsonb_array_elements_text(convert_from(e.state, 'UTF8')::jsonb -> 'users') AS u (email)
        WHERE e.topic IN ('group.created', 'group.users-added')
          AND NOT EXISTS (
              SELECT FROM directory_members AS m
              WHERE (m.email, m.subscription_id, m.since) = (u.email, e.subscription_id, e.notification_id)
          )
        """,
        (row.id,),
    )
    (counts,) = cursor
    cursor.execute(GROUP_EVENTS, (row.id,))
    positions = [each["notification_id"] for each in cursor]
    found = _missing(cursor, "audit log", "audit_log", positions)
    found += _missing(cursor, "group events", "group_events", positions)
    if counts["lacking"]:
        found.append(Difference("directory: memberships", "what the events say", f"{counts['lacking']} missing"))
    return found


def _missing(cursor: ViewCursor, what: str, table: LiteralString, positions: Iterable[int]) -> list[Difference]:
    cursor.execute(
        f"""
        SELECT count(*) AS lacking FROM unnest(%s::bigint[]) AS p (position)
        WHERE NOT EXISTS (
            SELECT FROM (
                SELECT t.last FROM {table} AS t WHERE t.position <= p.position ORDER BY t.position DESC LIMIT 1
            ) AS run WHERE run.last >= p.position
        )
        """,
        (list(positions),),
    )
    (counts,) = cursor
    return [Difference(what, "what the events say", f"{counts['lacking']} missing")] if counts["lacking"] else []


# --- today's reader -------------------------------------------------------------------------------------------------


def differing_verdicts(rollcall: Rollcall, row: ImportRow) -> list[Difference]:
    """Return what today's reader would say of the stored bytes that it didn't say when they were read.

    Raises FileErased if they are gone.
    """
    if erased := file_erased(rollcall, row.subscription_id, row.id, row.sha256):
        raise erased
    chunks = range(rollcall.blobs.chunk_count(row.subscription_id, "file", row.sha256))
    content = b"".join(rollcall.blobs.chunk(row.subscription_id, "file", row.sha256, number) for number in chunks)
    chosen = row.read.encoding if isinstance(row.read, EncodingChosen) else ""
    read = read_file(content, row.file_name, rollcall.settings.limits, chosen)
    if isinstance(read, FileProblems):
        before = row.file_problems if row.read is None else ()
        verdict = [] if row.read is None else [Difference("the file", "it can be read", "it is refused")]
        return verdict + _problems("problem of the file", before, read.problems)
    if row.read is None:
        return [Difference("the file", "it is refused", "it can be read")]
    return _rosters(rollcall, row, read)


def _rosters(rollcall: Rollcall, row: ImportRow, read: ReadRoster) -> list[Difference]:
    assert row.read is not None  # noqa: S101 - the caller has looked
    now_chunks = list(read.chunks)
    then = rollcall.rosters.open(row.subscription_id, row.read.roster)
    now = StoredRoster(now_chunks.__getitem__)
    skipped = {"roster", "problems"}
    fields = ({k: v for k, v in asdict(each).items() if k not in skipped} for each in (row.read, read.detected))
    found = _compared("the file", *fields)
    found += _problems("problem", tuple(then.problems()), tuple(now.problems()))
    for number in range(1, max(len(then), len(now)) + 1):
        before, after = (
            (each.group(number).name, each.group(number).emails) if number <= len(each) else None
            for each in (then, now)
        )
        if before != after:
            found.append(Difference(f"group {number}", _group(before), _group(after)))
    return found


def _group(group: tuple[str, list[str]] | None) -> str:
    return f"“{group[0]}”: {', '.join(group[1]) or 'nobody'}" if group else "no such group"


def _problems(what: str, then: Iterable[Problem], now: Iterable[Problem]) -> list[Difference]:
    before, after = ({(each.line, each.column, each.code): each for each in some} for some in (then, now))
    gone = [Difference(_place(what, key), before[key].message, "no problem") for key in sorted(before.keys() - after)]
    new = [Difference(_place(what, key), "no problem", after[key].message) for key in sorted(after.keys() - before)]
    return gone + new


def _place(what: str, key: tuple[int, int, str]) -> str:
    return f"{what} {key[2]} in line {key[0]}, column {key[1]}"
