"""Everything that a subscription holds of one person, as one document."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, json

from adapters.postgres.personal_data import find
from application.records import Actor
from domain.access import Role
from domain.forgetting import Redaction
from domain.import_session import FileUploaded, FormatDetected
from projections import access
from projections.directory import read as directory
from projections.log import records_at
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adapters.composition import Rollcall
    from adapters.postgres.personal_data import Found
    from application.records import Record
    from application.rosters import StoredRoster
    from projections.directory.read import LicenceRow
    from projections.view import ViewCursor

NOBODY = "nobody@forgotten.invalid"


class HeldRole(Struct, frozen=True):
    """A role that the person has in the subscription, since when, and who granted it."""

    role: Role
    granted_at: datetime
    granted_by: Actor


class HeldLicence(Struct, frozen=True):
    """The licence that the person has, with the names that came with it."""

    first_name: str
    last_name: str
    allocated_at: datetime


class HeldMembership(Struct, frozen=True):
    """A group that the person is in, or was in until a time; `name` is the one that it has now or had last."""

    group_id: UUID
    name: str
    since: datetime
    until: datetime | None


class HeldRecord(Struct, frozen=True):
    """Something that names the person: what happened (`data` has all that is stored of it), when, and who did it.

    The event is named by its `stream` and its `version` in that, as in the audit log.
    """

    stream: UUID
    version: int
    at: datetime
    type: str
    text: str
    actor: Actor
    data: dict[str, object]


class HeldCell(Struct, frozen=True):
    """A cell of a file that puts the person into a group. `line` counts from 1, the header's."""

    line: int
    column: int
    group: str


class HeldImport(Struct, frozen=True):
    """An import whose file names the person. `cells` are empty if the file was refused, or has them in no group."""

    id: UUID
    file_name: str
    uploaded_at: datetime
    first_name: str
    last_name: str
    cells: list[HeldCell]


class PersonDocument(Struct, frozen=True):
    """What the subscription holds of a person: licence, roles, memberships, records that name them, and imports."""

    email: str
    licence: HeldLicence | None
    roles: list[HeldRole]
    memberships: list[HeldMembership]
    records: list[HeldRecord]
    imports: list[HeldImport]


def export_person(rollcall: Rollcall, subscription_id: UUID, email: str) -> PersonDocument:
    """Return what a subscription holds of a canonical address, by the log and the files as they are now."""
    person = Redaction(email, NOBODY)
    with rollcall.views() as cursor:
        found = find(cursor, subscription_id, person)
        at_positions = records_at(cursor, ((subscription_id, each.position) for each in found.records))
        licence = directory.find_licence(cursor, subscription_id, email)
        grants = access.grants(cursor, subscription_id, email=email)
        memberships = list(_memberships(cursor, subscription_id, email))
    records = [record for _, record in sorted(at_positions.items())]
    return PersonDocument(
        email,
        _licence(licence),
        [HeldRole(each.role, each.granted_at, each.granted_by) for each in grants],
        memberships,
        [_record(record) for record in records if _names(record, person)],
        list(_imports(rollcall, subscription_id, email, found, records)),
    )


def _names(record: Record, person: Redaction) -> bool:
    """Return whether a record itself names a person, not only its file."""
    return any(person.names_in(json.encode(each)) for each in (record.event, record.origin))


def _licence(row: LicenceRow | None) -> HeldLicence | None:
    return HeldLicence(row.first_name, row.last_name, row.allocated_at) if row else None


def _record(record: Record) -> HeldRecord:
    data = json.decode(json.encode(record.event), type=dict[str, object])
    return HeldRecord(
        record.originator_id,
        record.originator_version,
        record.at,
        type(record.event).__name__,
        sentence(record.event),
        record.origin.actor,
        data,
    )


def _memberships(cursor: ViewCursor, subscription_id: UUID, email: str) -> Iterator[HeldMembership]:
    """Yield the memberships in the order in which they began. Groups that were deleted are named by their events."""
    cursor.execute(
        """
        SELECT first.originator_id AS group_id, joined.at AS since, left_.at AS until, (
            SELECT coalesce(event ->> 'new', event ->> 'name') FROM events AS e,
                LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS event) AS decoded
            WHERE e.originator_id = first.originator_id AND e.topic IN ('group.created', 'group.name-changed')
            ORDER BY e.originator_version DESC LIMIT 1
        ) AS name
        FROM directory_members AS m
        JOIN records AS first ON first.notification_id = m.group_position
        JOIN records AS joined ON joined.notification_id = m.since
        LEFT JOIN records AS left_ ON left_.notification_id = m.until
        WHERE m.email = %s AND m.subscription_id = %s
        ORDER BY m.since, name
        """,
        (email, subscription_id),
    )
    return (HeldMembership(row["group_id"], row["name"], row["since"], row["until"]) for row in cursor.fetchall())


def _imports(
    rollcall: Rollcall, subscription_id: UUID, email: str, found: Found, records: Sequence[Record]
) -> Iterator[HeldImport]:
    streams = dict.fromkeys(each.stream for each in found.records if each.topic.startswith("import."))
    last_read = {r.originator_id: r.event.roster for r in records if isinstance(r.event, FormatDetected)}
    for import_id in streams:
        first = rollcall.events.history(import_id, limit=1)[0]
        if isinstance(first.event, FileUploaded):
            names, cells = ("", ""), list[HeldCell]()
            if (digest := last_read.get(import_id)) in found.rosters and digest:
                names, cells = _cells(rollcall.rosters.open(subscription_id, digest), email)
            yield HeldImport(import_id, first.event.file_name, first.at, *names, cells)


def _cells(roster: StoredRoster, email: str) -> tuple[tuple[str, str], list[HeldCell]]:
    """Return the names of a person in a file, and the cells that put them into groups."""
    user = roster.indexes_of([email]).get(email)
    if user is None:
        return ("", ""), []
    numbers = [number for number, (_, users) in enumerate(roster.every_group(), start=1) if user in users]
    members = ((group, member) for group in map(roster.group, numbers) for member in group.members)
    cells = [HeldCell(m.line, m.column, group.name) for group, m in members if m.email == email]
    return roster.names([user])[0], cells
