"""The group events that other systems follow."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from adapters.cli.lookup import find_subscription
from adapters.cli.options import json_option, limit_option, subscription_option
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, Terminal
from projections import group_events
from projections.group_events import parse_event_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.group_events import CloudEvent, EventId

EVENTS_A_PAGE = 1_000


def _event_id(_context: click.Context, _option: click.Parameter, text: str | None) -> EventId | None:
    try:
        return parse_event_id(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command(short_help="Print group events for other systems")
@subscription_option
@click.option("--after", metavar="ID", callback=_event_id, help="Only events after the one with this id.")
@limit_option
@json_option
def events(*, name_or_id: str, after: EventId | None, limit: int | None, as_json: bool) -> int:  # noqa: ARG001 - it is always JSON
    """Print a subscription's group events, oldest first, as JSON lines: one CloudEvent 1.0 per line."""
    terminal = Terminal(as_json=True)
    with open_rollcall("directory", "group_events") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        for event in islice(_events(rollcall, found.id, after), limit):
            terminal.emit_line(event)
    return DONE


def _events(rollcall: Rollcall, subscription_id: UUID, after: EventId | None) -> Iterator[CloudEvent]:
    """Yield the events after a position, reading a page at a time and no more than is asked for."""
    more = True
    while more:
        with rollcall.views() as cursor:
            page = group_events.group_events(cursor, subscription_id, after=after, limit=EVENTS_A_PAGE)
        yield from page.events
        after, more = page.last, page.more
