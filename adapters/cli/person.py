"""What is held of a person, and forgetting them."""

from __future__ import annotations

import click
from msgspec import Struct

from adapters.cli.lookup import find_subscription
from adapters.cli.options import json_option, subscription_option, yes_option
from adapters.cli.process import open_rollcall, operator_origin, wait_for_views
from adapters.cli.terminal import DONE, OR_DRY_RUN, REFUSED, Terminal
from adapters.person_export import export_person
from application.forgetting import ForgettingPlan, Holdings, forget, plan_forgetting
from application.recording_downloads import record_download
from domain.addresses import parse_email
from domain.downloads import FileDownloaded
from projections.reports.wording import counted


class ForgottenReport(Struct, frozen=True):
    """What was erased, or would be with --dry-run (then `person` is null), as JSON."""

    person: str | None
    held: Holdings
    everywhere: bool


@click.group(short_help="Export what is held of a person, or forget them")
def person() -> None:
    """Export what a subscription holds of a person, or forget them. EMAIL is the person's address."""


@person.command("export", short_help="Print everything that is held of a person, as JSON")
@click.argument("email")
@subscription_option
@json_option
def person_export(*, email: str, name_or_id: str, as_json: bool) -> int:
    """Print everything that the subscription holds of the person with the address EMAIL, as JSON.

    This is their licence and names, their roles, the groups that they are or were in, what happened in which they are
    named, and the imports whose files name them, with the lines.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall() as rollcall:
        found = find_subscription(rollcall, name_or_id)
        canonical = parse_email(email, rollcall.private_domains)
        held = export_person(rollcall, found.id, canonical)
        record_download(rollcall, operator_origin(found.id), FileDownloaded("person", "person.json"))
    terminal.emit(held)
    return DONE


@person.command("forget", short_help="Erase a person from everything that is stored")
@click.argument("email")
@subscription_option
@yes_option
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@json_option
def person_forget(*, email: str, name_or_id: str, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Erase the person with the address EMAIL from everything that the subscription stores. This can't be undone.

    First they lose their licence, groups, roles and tokens. Then a pseudonym takes the place of their address in the
    log, in rosters and in the views, their names are blanked, and uploaded files that name them are erased. History
    keeps its shape, and “rollcall audit verify” still proves it.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "access", "audit_log") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        origin = operator_origin(found.id)
        plan = plan_forgetting(rollcall, rollcall.erasure, origin, email)
        _tell(terminal, plan)
        if dry_run:
            if as_json:
                terminal.emit(ForgottenReport(None, plan.held, plan.everywhere))
            return DONE
        if not (yes or terminal.confirmed(f"Forget {plan.email} in “{found.name}”? This can't be undone.", OR_DRY_RUN)):
            return REFUSED
        with terminal.busy("Forgetting"):
            done = forget(rollcall, rollcall.erasure, origin, email)
            wait_for_views(rollcall)
    if as_json:
        terminal.emit(ForgottenReport(done.person, done.held, done.everywhere))
    elif done.person is None:
        terminal.say(f"Nothing names {plan.email} any more.")
    else:
        terminal.say(f"Forgotten: {done.person} stands for them now.")
    return DONE


def _tell(terminal: Terminal, plan: ForgettingPlan) -> None:
    held = plan.held
    terminal.say(f"{plan.email} is named in {counted(held.records, 'record')}:")
    terminal.say(f"  {counted(held.groups, 'group')}, {counted(held.imports, 'import')}")
    terminal.say(f"  {counted(held.files, 'uploaded file')} to erase as a whole")
    loses = ["their licence and all groups"] if plan.licence else []
    loses += [counted(plan.roles, "role")] if plan.roles else []
    loses += [counted(plan.tokens, "token")] if plan.tokens else []
    if loses:
        terminal.say(f"  They lose {', '.join(loses)}.")
    if not plan.everywhere:
        terminal.note("Their sign-ins and account stay, because they have a role elsewhere.")
