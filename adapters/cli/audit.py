"""The audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from adapters.cli.audit_verify import audit_key, audit_verify
from adapters.cli.lookup import find_subscription, whole_id
from adapters.cli.options import json_option, limit_option, one_more, short_id
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, REQUEST_COLUMNS, Column, Terminal, utc_time
from domain.addresses import email_key
from projections.audit_log import read as audit_log
from projections.reports.sentences import SUBSCRIPTION_ACTIONS

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.short_ids import Kind

KINDS = {slug: action.types for slug, action in SUBSCRIPTION_ACTIONS.items()}
TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z")


def _in_utc(_context: click.Context, _option: click.Parameter, value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def _event_types(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    by_name = {event.__name__.lower(): (event.__name__,) for event in audit_log.AUDITED}
    found = (KINDS | by_name).get(value.lower())
    if found is None:
        raise click.BadParameter(f"there is no kind of change “{value}”. Choose from: {', '.join(KINDS)}.")
    return found


@click.group(
    invoke_without_command=True,
    short_help="Show who changed what, and when; check that nobody altered the log",
    epilog=f"KIND is one of {', '.join(KINDS)}; or an event type of the API, such as GroupCreated.",
)
@click.option("--subscription", "-s", "name_or_id", metavar="NAME_OR_ID", help="The subscription, by name or id.")
@click.option("--actor", metavar="LOGIN", help="Only changes by this person.")
@click.option("--type", "types", metavar="KIND", callback=_event_types, help="Only this kind, such as group-created.")
@click.option("--import", "import_digits", metavar="ID", callback=short_id, help="Only changes made by this import.")
@click.option("--group", "group_digits", metavar="ID", callback=short_id, help="Only changes to this group.")
@click.option("--email", metavar="ADDRESS", help="Only changes that name this address.")
@click.option("--from", "since", type=click.DateTime(TIMES), metavar="TIME", callback=_in_utc, help="Since then (UTC).")
@click.option("--to", "until", type=click.DateTime(TIMES), metavar="TIME", callback=_in_utc, help="Before then (UTC).")
@limit_option
@json_option
@click.pass_context
def audit(
    context: click.Context,
    *,
    name_or_id: str | None,
    actor: str | None,
    types: tuple[str, ...],
    import_digits: str | None,
    group_digits: str | None,
    email: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """Show every administrative change, newest first: who made it, when, and what it was.

    Options narrow the list; a change must match all of them. TIME is a date, or a date and time such as
    2025-12-31T23:59:59.
    """
    if context.invoked_subcommand is not None:
        return DONE
    if name_or_id is None:
        raise click.UsageError("Missing option '--subscription' / '-s'.", context)
    terminal = Terminal(as_json=as_json)
    address = email_key(email) if email else None
    with open_rollcall("directory", "import_list", "audit_log") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        import_id = _whole_id(rollcall, "import", import_digits, found.id)
        group_id = _whole_id(rollcall, "group", group_digits, found.id)
        wanted = audit_log.AuditFilter(actor, types, import_id, group_id, address, since, until)
        with rollcall.views() as cursor:
            rows = audit_log.audit_log(cursor, found.id, wanted, limit=one_more(limit))
    terminal.listing(
        rows,
        (Column("at", whole=True), Column("by"), Column("change"), *REQUEST_COLUMNS),
        lambda row: (utc_time(row.at), row.actor.name, row.text, row.request_id, row.client_request_id or ""),
        limit,
    )
    return DONE


audit.add_command(audit_verify)
audit.add_command(audit_key)


def _whole_id(rollcall: Rollcall, kind: Kind, digits: str | None, subscription_id: UUID) -> UUID | None:
    return whole_id(rollcall, kind, digits, subscription_id) if digits is not None else None
