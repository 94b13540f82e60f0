"""The plan of an import in the terminal: what adding its groups would do, and what is different about it by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from adapters.cli.terminal import utc_time, visible
from application.importing import find_session, stored_roster
from application.planning import what_is_planned
from projections.import_list import read as import_list
from projections.reports.import_plan import plan_document
from projections.reports.plan_changes import SeenPlan, plan_difference
from projections.reports.plan_text import OUTCOMES
from projections.reports.wording import counted

if TYPE_CHECKING:
    from adapters.cli.terminal import Terminal
    from adapters.composition import Rollcall
    from application.planning import ImportPlan
    from application.records import Origin
    from projections.import_list.read import ImportRow
    from projections.reports.import_plan import PlanDocument, PlanSummary
    from projections.reports.plan_changes import PlanDifference


def current_plan(rollcall: Rollcall, origin: Origin) -> ImportPlan:
    """Return what adding the groups of an import would do now; raises WrongState, NotFound and Busy."""
    plan, done = what_is_planned(find_session(rollcall, origin).state)
    return rollcall.plans.current(origin.subscription_id, plan, after=done)


def document_of(rollcall: Rollcall, row: ImportRow, plan: ImportPlan) -> PlanDocument:
    """Return the plan of an import as it is told, with earlier imports of the same file."""
    with rollcall.views() as cursor:
        earlier = import_list.same_file(cursor, row.subscription_id, row.sha256, row.id)
    return plan_document(row.version, plan, row.counts.rows_not_read, earlier)


def difference(rollcall: Rollcall, origin: Origin, seen: ImportPlan, now: ImportPlan) -> PlanDifference:
    """Return what is different about the plan of an import since it was seen."""
    plan, _ = what_is_planned(find_session(rollcall, origin).state)
    roster = stored_roster(rollcall, origin.subscription_id, plan.roster)
    return plan_difference(SeenPlan(seen.totals, seen.groups), now, roster, plan)


def show_plan(terminal: Terminal, plan: PlanSummary) -> None:
    """Show what adding the groups would do, in words and in numbers, and whether the file was imported before."""
    groups, users = plan.groups, plan.memberships
    terminal.say()
    terminal.say(Text("Plan", style="bold"))
    terminal.say(plan.text)
    outcomes = [f"{count:,} {OUTCOMES[what].lower()}" for what in OUTCOMES if (count := getattr(groups, what))]
    terminal.say(Text(f"Groups: {', '.join(outcomes) or 'none'}", style="dim"))
    terminal.say(
        Text(
            f"Memberships: {users.to_add:,} to add, {users.already_there:,} already there, {users.not_licensed:,} "
            f"without a licence, {users.removed:,} removed",
            style="dim",
        )
    )
    if plan.rows_not_read:
        text = f"{counted(plan.rows_not_read, 'row')} of the file with something that can’t be read"
        terminal.say(Text(text, style="yellow"))
    for each in plan.same_file_as:
        text = (
            f"This file was imported before: “{each.file_name}”, {utc_time(each.started_at)} by {each.started_by.name}"
        )
        terminal.say(Text(visible(f"{text} (import {each.import_id}, {each.state})"), style="yellow"))


def show_difference(terminal: Terminal, found: PlanDifference) -> None:
    """Show what is different about a plan since it was shown."""
    terminal.note()
    terminal.note(Text("The plan has changed since you saw it. Nothing was added.", style="yellow"))
    terminal.note(f"Before: {found.before}")
    terminal.note(f"Now:    {found.now}")
    for each in found.groups:
        terminal.note(f"  {each.name} (group {each.number})\n    before: {each.before}\n    now:    {each.now}")
    if found.more is None:
        terminal.note("These are too many groups to say which.")
    elif found.more:
        terminal.note(f"  … and {found.more:,} more groups")
