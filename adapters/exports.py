"""Exports: files of everything in a subscription, in pieces, as the API and the command line give them out.

A groups export is an import file. Importing it again changes nothing, which a test shows for all names that groups can
have.
"""

from __future__ import annotations

from itertools import chain, islice
from math import ceil
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from msgspec import json, structs

from adapters.csv_text import csv_pieces
from application.erased_files import file_erased
from domain.files.licence_file import HEADER as USERS_HEADER
from projections.audit_log.read import AuditRow, document
from projections.reports import exports
from projections.reports import import_report as reporting
from projections.reports.audit_filters import NO_FILTER, AuditFilter
from projections.reports.rows_not_added import rows_not_added

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.directory.read import LicenceRow, MemberRow
    from projections.import_list.read import ImportRow
    from projections.view import OpenViews

ExportName: TypeAlias = Literal["groups-user-based", "groups-group-based", "users", "audit"]
ExportKind: TypeAlias = Literal["csv", "ndjson"]

NAMES: tuple[ExportName, ...] = get_args(ExportName)
MEDIA_TYPES: dict[ExportKind, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_EMPTY_CELLS = 10_000_000  # as many may be there for a few large groups alone
_TIMES_THE_MEAN = 4  # as wide a row may be in any case
REPORT_HEADER = ("line", "row", "column", "group", "user", "outcome", "reason")
CHANGES_HEADER = (
    *("at", "actor_kind", "actor_id", "actor_name", "type", "text"),
    *("import_id", "group_id", "request_id", "client_request_id", "stream", "version"),
)


def export(
    views: OpenViews, subscription_id: UUID, name: ExportName, kind: ExportKind, wanted: AuditFilter = NO_FILTER
) -> Iterator[bytes]:
    """Yield an export, piece by piece; `wanted` narrows down the audit log."""
    match name:
        case "groups-user-based":
            people = exports.users_with_groups(views, subscription_id)
            return _lines(people) if kind == "ndjson" else _user_based(views, subscription_id, people)
        case "groups-group-based":
            groups = exports.groups_with_users(views, subscription_id)
            return _lines(groups) if kind == "ndjson" else _group_based(views, subscription_id, groups)
        case "users":
            return export_users(exports.users(views, subscription_id), kind)
        case "audit":
            changes = exports.changes(views, subscription_id, wanted)
            if kind == "ndjson":
                return _lines(map(document, changes))
            return csv_pieces(CHANGES_HEADER, map(_change, changes))


def import_report(rollcall: Rollcall, row: ImportRow, views: OpenViews | None = None) -> Iterator[bytes]:
    """Yield the report of an import as CSV, as of now, or as the `views` of another time show it."""
    rows = reporting.report(views or rollcall.views, rollcall.blobs, row, rollcall.settings.limits)
    return csv_pieces(REPORT_HEADER, (structs.astuple(each) for each in rows))


def rows_to_fix(rollcall: Rollcall, row: ImportRow) -> Iterator[bytes]:
    """Yield the rows that an import didn't add as a file to fix and import; raises NoRowsRead and FileErased."""
    erased = file_erased(rollcall, row.subscription_id, row.id, row.sha256)
    if erased and row.read is not None:
        raise erased
    found = rows_not_added(rollcall.views, rollcall.blobs, row, rollcall.settings.limits)
    return csv_pieces(found.header, found.rows, found.delimiter)


def export_users(users: Iterable[LicenceRow | MemberRow], kind: ExportKind = "csv") -> Iterator[bytes]:
    """Yield users in the columns of a licence file."""
    if kind == "ndjson":
        return _lines(users)
    return csv_pieces(USERS_HEADER, ((user.email, user.first_name, user.last_name) for user in users))


def _user_based(views: OpenViews, subscription_id: UUID, people: Iterable[exports.UserWithGroups]) -> Iterator[bytes]:
    with views() as cursor:
        width = width_of_rows(exports.extent_of_users(cursor, subscription_id))
    return csv_pieces(
        (*USERS_HEADER, *["Groupname"] * width),
        ((user.email, user.first_name, user.last_name, *some) for user in people for some in _rows(user.groups, width)),
    )


def _group_based(views: OpenViews, subscription_id: UUID, groups: Iterable[exports.GroupWithUsers]) -> Iterator[bytes]:
    with views() as cursor:
        width = width_of_rows(exports.extent_of_groups(cursor, subscription_id))
    return csv_pieces(
        ("Groupname", *["Email"] * width),
        ((group.name, *some) for group in groups for some in _rows(group.users or [""], width)),
    )


def width_of_rows(extent: exports.Extent) -> int:
    """Return how many cells each row has for groups or users: enough for most of them, without too many empty ones."""
    rows = max(extent.rows, 1)
    affordable = max(_EMPTY_CELLS // rows, _TIMES_THE_MEAN * ceil(extent.cells / rows))
    return max(1, min(extent.most, exports.WIDEST, affordable))


def _rows(cells: list[str], width: int) -> list[list[str]]:
    """Return cells in rows of one width.

    RFC 4180, section 2, has the same number of cells in each. DuckDB and R's fread take rows of different lengths for
    a single column.
    """
    rows = [cells[at : at + width] for at in range(0, len(cells), width)]
    return [*rows[:-1], rows[-1] + [""] * (width - len(rows[-1]))] if rows else []


def _change(row: AuditRow) -> tuple[object, ...]:
    actor, at = row.actor, row.at.isoformat()
    about = (row.import_id, row.group_id, row.request_id, row.client_request_id, row.stream, row.version)
    return (at, actor.kind, actor.id, actor.name, row.type, row.text, *about)


def _lines(rows: Iterable[object]) -> Iterator[bytes]:
    """Yield each row as a line of JSON, some hundred at a time."""
    rest = iter(rows)
    for first in rest:
        yield b"".join(json.encode(row) + b"\n" for row in chain([first], islice(rest, 499)))
