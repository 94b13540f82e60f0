"""The overview of a subscription: the first steps, then what happened lately and how much there is."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from litestar.params import FromPath
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.console.charts import Bar, stacks, steps
from adapters.console.linked_texts import Told, linked_texts
from adapters.console.pages import Page, page
from adapters.http.lookups import find_subscription
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from projections.audit_log import read as audit_log
from projections.directory import read as directory
from projections.reports import overview

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections.directory.read import SubscriptionRow
    from projections.reports.overview import ImportsOnDay, SeatsOnDay

DAYS = 30
CHANGES = 6
OUTCOMES = (
    "completed",
    "closed",
    "committing",
    "reviewing",
    "uploaded",
    "stopped",
    "undoing",
    "partly_undone",
    "undone",
    "rejected",
    "discarded",
)


class SeatsChart(Struct, frozen=True):
    """Seats taken at the end of each day, the path of their line, and how high the line of all seats is."""

    days: list[tuple[date, int]]
    path: str
    seats: float


class ImportsChart(Struct, frozen=True):
    """Imports by day and outcome, each with its number; their bars; and how many ended how in all."""

    days: list[tuple[date, list[tuple[str, int]]]]
    bars: list[Bar]
    totals: list[tuple[str, int]]


class Step(Struct, frozen=True):
    """One of the first steps: what it is for, and whether it is done."""

    name: str
    done: bool


@read("/subscriptions/{subscription_id:uuid}/overview", opt=READERS)
def show_overview(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Show what is to be done first, and afterwards how seats, imports and groups developed."""
    subscription = find_subscription(rollcall, subscription_id)
    today = rollcall.now().date()
    days = [today - timedelta(days=DAYS - 1 - at) for at in range(DAYS)]
    with rollcall.views() as rows:
        groups = directory.count_groups(rows, subscription_id)
        since = datetime.combine(days[0], time(), rollcall.now().tzinfo)
        changes = audit_log.audit_log(rows, subscription_id, limit=CHANGES)
        texts = linked_texts(rows, subscription_id, [Told(row.text, row.mention, row.group_id) for row in changes])
        content: dict[str, Any] = {
            "groups": groups,
            "seats_chart": seats_chart(subscription, overview.seats_by_day(rows, subscription_id), days),
            "imports_chart": imports_chart(overview.imports_by_day(rows, subscription_id, since), days),
            "sizes": list(zip(overview.size_names(), overview.groups_by_size(rows, subscription_id), strict=True)),
            "in_no_group": overview.users_in_no_group(rows, subscription_id),
            "changes": list(zip(changes, texts, strict=True)),
        }
    first_steps = steps_of(subscription, groups)
    return page(
        request,
        rollcall,
        "overview.html",
        subscription_id=subscription_id,
        section="overview",
        steps=first_steps if not all(step.done for step in first_steps) else [],
        next_step=next((step.name for step in first_steps if not step.done), ""),
        days=DAYS,
        **content,
    )


def steps_of(subscription: SubscriptionRow, groups: int) -> list[Step]:
    """Return what a new subscription needs, in this order."""
    return [
        Step("seats", subscription.seats > 0),
        Step("licences", subscription.seats_taken > 0),
        Step("import", groups > 0),
    ]


def seats_chart(subscription: SubscriptionRow, changes: Sequence[SeatsOnDay], days: Sequence[date]) -> SeatsChart:
    """Return the seats taken on each of these days; before the first change there were none."""
    by_day = [
        max((each for each in changes if each.day <= day), key=lambda each: each.day, default=None) for day in days
    ]
    taken = [each.taken if each else 0 for each in by_day]
    most = max(subscription.seats, *taken)
    return SeatsChart(
        list(zip(days, taken, strict=True)), steps(taken, most), 100 - 100 * subscription.seats / max(most, 1)
    )


def imports_chart(found: Sequence[ImportsOnDay], days: Sequence[date]) -> ImportsChart:
    """Return the imports of each of these days by what became of them."""
    counts: dict[date, dict[str, int]] = defaultdict(dict)
    totals: dict[str, int] = defaultdict(int)
    for each in found:
        counts[each.day][each.state] = each.imports
        totals[each.state] += each.imports
    by_day = [(day, [(state, counts[day][state]) for state in OUTCOMES if state in counts[day]]) for day in days]
    return ImportsChart(
        by_day,
        stacks([stack for _, stack in by_day]),
        [(state, totals[state]) for state in OUTCOMES if state in totals],
    )


ROUTES = (show_overview,)
