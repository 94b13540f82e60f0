"""The options that narrow down the audit log: those of the list and those of its export."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from adapters.cli.lookup import find_group_ever, whole_id
from adapters.cli.options import short_id, time_given
from domain.addresses import email_key
from projections.reports.audit_filters import AUDITED, AuditFilter
from projections.reports.sentences import SUBSCRIPTION_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from adapters.composition import Rollcall

F = TypeVar("F", bound="Callable[..., object]")

KINDS = {slug: action.types for slug, action in SUBSCRIPTION_ACTIONS.items()}
KINDS_TEXT = f"KIND is one of {', '.join(KINDS)}; or an event type of the API, such as GroupCreated."


class FilterOptions(TypedDict):
    """What the options give."""

    actor: str | None
    types: tuple[str, ...]
    import_digits: str | None
    group: str | None
    email: str | None
    request_id: str | None
    since: datetime | None
    until: datetime | None


def _in_utc(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Return a time, or the beginning of a day."""
    if value is None:
        return None
    given = time_given(value)
    at = given if isinstance(given, datetime) else datetime(given.year, given.month, given.day, tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _event_types(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    known = KINDS | {event.__name__.lower(): (event.__name__,) for event in AUDITED}
    for value in values:
        if value.lower() not in known:
            raise click.BadParameter(f"there is no kind of change “{value}”. Choose from: {', '.join(KINDS)}.")
    return tuple(name for value in values for name in known[value.lower()])


def filter_options(command: F) -> F:
    """Give a command the options that narrow down the audit log, as `FilterOptions`."""
    for option in (
        click.option("--to", "until", metavar="TIME", callback=_in_utc, help="Before (UTC)."),
        click.option("--from", "since", metavar="TIME", callback=_in_utc, help="Since (UTC)."),
        click.option("--request", "request_id", metavar="ID", help="Only changes by this request."),
        click.option("--email", metavar="ADDRESS", help="Only changes that name this address."),
        click.option("--group", metavar="GROUP", help="Only changes to this group, also a deleted one, by name or id."),
        click.option("--import", "import_digits", metavar="ID", callback=short_id, help="Only changes by this import."),
        click.option(
            "--type",
            "types",
            metavar="KIND",
            multiple=True,
            callback=_event_types,
            help="Only this kind, such as group-created. Repeat it for several.",
        ),
        click.option("--actor", metavar="LOGIN", help="Only changes by this person."),
    ):
        command = option(command)
    return command


def wanted_changes(rollcall: Rollcall, subscription_id: UUID, options: FilterOptions) -> AuditFilter:
    """Return the filter that options ask for; fails if an id isn't found."""
    since, until = options["since"], options["until"]
    if since and until and until < since:
        raise click.BadParameter("this is before --from. Swap the two.", param_hint="--to")
    email, digits, group = options["email"], options["import_digits"], options["group"]
    return AuditFilter(
        options["actor"],
        options["types"],
        whole_id(rollcall, "import", digits, subscription_id) if digits is not None else None,
        find_group_ever(rollcall, subscription_id, group) if group is not None else None,
        email_key(email) if email else None,
        options["request_id"],
        since,
        until,
    )
