"""Sentences about events, with a link to the page of the group or the user that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adapters.console.filters import in_path
from projections.directory import read as directory
from projections.reports.mentions import mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from application.records import Record
    from projections.reports.history import EventRow
    from projections.reports.mentions import Mention
    from projections.view import ViewCursor


class Told(NamedTuple):
    """A sentence, what it names, and the id of the group that it is about, if it is about one."""

    text: str
    mention: Mention | None
    group_id: UUID | None


class Part(NamedTuple):
    """A part of a sentence, and the address that it leads to; empty if it leads nowhere."""

    text: str
    address: str = ""


def linked_texts(cursor: ViewCursor, subscription_id: UUID, told: Sequence[Told], base: str = "") -> list[list[Part]]:
    """Return sentences in parts, some of which are links; their addresses are relative to `base`.

    Groups that were deleted lead to their history. Users without a licence have no page, so they get no link. The name
    of a group that a sentence is about without naming it comes last.
    """
    names = directory.groups_among(cursor, subscription_id, {each.group_id for each in told if each.group_id})
    named = (each.mention for each in told if each.mention)
    users = licensed(cursor, subscription_id, (each.text for each in named if each.named == "user"))
    return [_linked(each, names, users, base) for each in told]


def licensed(cursor: ViewCursor, subscription_id: UUID, emails: Iterable[str]) -> set[str]:
    """Return those of these users who have a licence, and so a page."""
    wanted = set(emails)
    return wanted - directory.unlicensed_emails(cursor, subscription_id, wanted) if wanted else wanted


def told_by(record: Record, text: str) -> Told:
    """Return what the history of an import tells of an event; only some of these events are about a group."""
    return Told(text, mention(record.event), getattr(record.event, "group_id", None))


def users_of(event: EventRow) -> list[str]:
    """Return the users whom an event has added or removed; none if that isn't what it did."""
    users = event.data.get("users")
    return [each for each in users if isinstance(each, str)] if isinstance(users, list | tuple) else []


def _linked(told: Told, names: dict[UUID, str], users: set[str], base: str) -> list[Part]:
    text, found, group = told
    of_group = f"{base}groups/{group}{'' if group in names else '/history'}" if group else ""
    parts = [Part(text)]
    if found:
        of_user = f"{base}users/{in_path(found.text)}" if found.text in users else ""
        address = of_user if found.named == "user" else of_group
        parts = [Part(text[: found.start]), Part(found.text, address), Part(text[found.end :])]
    if group and not (found and found.named == "group"):
        parts += [Part(" "), Part(names.get(group, "that was deleted"), of_group)]
    return parts
