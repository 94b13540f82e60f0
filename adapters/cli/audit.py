"""The audit log."""

from __future__ import annotations

from typing import Unpack

import click

from adapters.cli.audit_evidence import audit_evidence
from adapters.cli.audit_filters import KINDS_TEXT, FilterOptions, filter_options, wanted_changes
from adapters.cli.audit_repair import audit_repair
from adapters.cli.audit_replay import audit_replay
from adapters.cli.audit_verify import audit_key, audit_verify
from adapters.cli.lookup import find_subscription
from adapters.cli.options import json_option, limit_option, one_more
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, REQUEST_COLUMNS, Column, Terminal, utc_time
from projections.audit_log import read as audit_log


@click.group(
    invoke_without_command=True,
    short_help="Show who changed what, and when; check that nobody altered the log",
    epilog=KINDS_TEXT,
)
@click.option("--subscription", "-s", "name_or_id", metavar="NAME_OR_ID", help="The subscription, by name or id.")
@filter_options
@limit_option
@json_option
@click.pass_context
def audit(
    context: click.Context,
    *,
    name_or_id: str | None,
    limit: int | None,
    as_json: bool,
    **options: Unpack[FilterOptions],
) -> int:
    """Show every administrative change, newest first: who made it, when, and what it was.

    Options narrow the list; a change must match all of them. TIME is a date, or a date and time such as
    2025-12-31T23:59:59. “rollcall export audit” writes the changes that match to a file.
    """
    if context.invoked_subcommand is not None:
        return DONE
    if name_or_id is None:
        raise click.UsageError("Missing option '--subscription' / '-s'.", context)
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "import_list", "audit_log") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        wanted = wanted_changes(rollcall, found.id, options)
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
audit.add_command(audit_replay)
audit.add_command(audit_key)
audit.add_command(audit_repair)
audit.add_command(audit_evidence)
