"""What auditors and other systems read."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from adapters.cli.shared import (
    find_subscription,
    json_option,
    limit_option,
    one_more,
    running,
    subscription_option,
    time_of,
)
from adapters.cli.terminal import DONE, Column, Terminal
from domain.naming import email_key
from projections import audit_log, group_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.group_events import CloudEvent

EVENTS_A_PAGE = 1_000
EVENT_NAMES = sorted(event.__name__ for event in audit_log.AUDITED)
TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z")


def _in_utc(_context: click.Context, _option: click.Parameter, value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def _known_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    found = next((name for name in EVENT_NAMES if name.lower() == value.lower()), None)
    if found is None:
        raise click.BadParameter(f"there is no event “{value}” in the audit log. There are: {', '.join(EVENT_NAMES)}.")
    return found


@click.command(short_help="Tell who changed what, and when")
@subscription_option
@click.option("--actor", metavar="LOGIN", help="Only what this person did.")
@click.option("--type", "event", metavar="EVENT", callback=_known_name, help="Only this event, such as GroupCreated.")
@click.option("--import", "import_id", type=click.UUID, metavar="ID", help="Only what this import caused.")
@click.option("--group", "group_id", type=click.UUID, metavar="ID", help="Only what changed this group.")
@click.option("--email", metavar="ADDRESS", help="Only what names this address.")
@click.option("--from", "since", type=click.DateTime(TIMES), metavar="TIME", callback=_in_utc, help="Not before (UTC).")
@click.option("--to", "until", type=click.DateTime(TIMES), metavar="TIME", callback=_in_utc, help="Only before (UTC).")
@limit_option
@json_option
def audit(
    *,
    name_or_id: str,
    actor: str | None,
    event: str | None,
    import_id: UUID | None,
    group_id: UUID | None,
    email: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """Tell every administrative change, newest first: who, when, what. All conditions given must hold.

    A TIME is a date, or a date and a time such as 2025-12-31T23:59:59.
    """
    terminal = Terminal(as_json=as_json)
    address = email_key(email) if email else None
    wanted = audit_log.AuditFilter(actor, (event,) if event else (), import_id, group_id, address, since, until)
    with running("directory", "audit_log") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = audit_log.audit_log(cursor, found.id, wanted, limit=one_more(limit))
    terminal.listing(
        rows,
        (
            Column("at", whole=True),
            Column("by"),
            Column("what happened"),
            Column("event", whole=True, optional=True),
        ),
        lambda row: (time_of(row.at), row.actor.name, row.text, row.type),
        limit,
    )
    return DONE


@click.command(short_help="Print group events for other systems")
@subscription_option
@click.option("--after", type=int, metavar="ID", default=0, help="Only events behind the one of this id.")
@limit_option
@json_option
def events(*, name_or_id: str, after: int, limit: int | None, as_json: bool) -> int:  # noqa: ARG001 - it is always JSON
    """Print a subscription's group events, oldest first, as JSON lines: one CloudEvent 1.0 a line."""
    terminal = Terminal(as_json=True)
    with running("directory", "group_events") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        for event in islice(_events(rollcall, found.id, after), limit):
            terminal.emit_line(event)
    return DONE


def _events(rollcall: Rollcall, subscription_id: UUID, after: int) -> Iterator[CloudEvent]:
    """Return the events behind a position, reading no further than they are asked for, a page at a time."""
    while True:
        with rollcall.views() as cursor:
            page = group_events.group_events(cursor, subscription_id, after=after, limit=EVENTS_A_PAGE)
        if not page:
            return
        yield from page
        after = int(page[-1].id)
