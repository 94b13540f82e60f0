"""The licences of a subscription."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
from msgspec import UNSET, Struct, UnsetType
from rich.text import Text

from adapters.as_of import views_then
from adapters.cli import import_report
from adapters.cli.lookup import find_subscription
from adapters.cli.many import change_many
from adapters.cli.options import (
    at_option,
    chosen_by_filter,
    content_of,
    everything_option,
    json_option,
    limit_option,
    many_file_option,
    named_or_listed,
    one_more,
    only_tell_option,
    search_option,
    subscription_option,
    yes_option,
)
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.terminal import DONE, REFUSED, ROWS_SHOWN, Column, Failure, Terminal, utc_time
from application import changing_many
from application.licensing import AllocationPlan, SeatsUsed, allocate_licences, plan_allocation, revoke_licences
from domain.addresses import email_key, parse_email
from domain.files.licence_file import LicenceFile, read_licences
from domain.naming import clean_file_name, without_controls
from domain.problems import FileProblems, grouped
from domain.subscription import User
from projections.directory import read as directory
from projections.directory.read import OnlyUsers
from projections.reports import selections
from projections.reports.problem_rows import ProblemRow, problem_rows
from projections.reports.wording import counted

if TYPE_CHECKING:
    from datetime import datetime


class AllocationReport(Struct, frozen=True):
    """The result of an allocation or of its dry run, as JSON: `refused` lists the cells of a file that can't be used.

    `passed_over` are the headers of the columns of groups, if the file is a user-based import file. `seats` is missing
    if it is refused.
    """

    allocated: int
    already_allocated: int
    refused: list[ProblemRow]
    warnings: list[ProblemRow]
    passed_over: list[str] = []
    seats: SeatsUsed | UnsetType = UNSET
    error: Failure | UnsetType = UNSET


class RevocationReport(Struct, frozen=True):
    """Whose licences were revoked, as JSON."""

    revoked: list[str]


@click.group(short_help="Allocate, revoke and list licences")
def licence() -> None:
    """Allocate, revoke and list licences. A licence gives one seat of a subscription to one e-mail address."""


@licence.command("allocate", short_help="Allocate licences to one user or to everyone in a file")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--email", metavar="ADDRESS", help="Allocate a licence to this one user instead of a file.")
@click.option("--first-name", metavar="NAME", default="", help="The user's first name (with --email).")
@click.option("--last-name", metavar="NAME", default="", help="The user's last name (with --email).")
@subscription_option
@click.option("--dry-run", "dry", is_flag=True, help="Show what would be allocated, and record nothing.")
@json_option
def licence_allocate(
    *, file: Path | None, email: str | None, first_name: str, last_name: str, name_or_id: str, dry: bool, as_json: bool
) -> int:
    """Allocate a licence to each user in FILE, or to one user with --email.

    FILE is a .csv or .txt file with the header email,FirstName,LastName, or a user-based import file, whose groups are
    passed over. Rows that can't be used are listed and left out, and the exit code is then 1. If there aren't enough
    seats for all the others, nothing is allocated.
    """
    terminal = Terminal(as_json=as_json)
    if (file is None) == (email is None) or (file is not None and first_name + last_name):
        raise click.UsageError(
            "Give either a FILE, or --email for one user (with --first-name and --last-name if you like)."
        )
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        if file is None:
            user = User(
                parse_email(email or "", rollcall.private_domains),
                without_controls(first_name),
                without_controls(last_name),
            )
            read: LicenceFile | FileProblems = LicenceFile((user,), ())
        else:
            limits = rollcall.settings.limits
            read = read_licences(content_of(file, limits.file_bytes), file.name, limits)
        if isinstance(read, FileProblems):
            return _refused(terminal, clean_file_name(file.name if file else ""), read)
        origin = operator_origin(found.id)
        if dry:
            return _planned(terminal, read, plan_allocation(rollcall, origin, read.users))
        done = allocate_licences(rollcall, origin, read.users)
    if as_json:
        terminal.emit(_report(read, done.allocated, done.already_allocated, done.seats))
        return _code(read)
    terminal.say(f"{counted(done.allocated, 'licence')} allocated, {done.already_allocated:,} already allocated.")
    return _told(terminal, read)


def _planned(terminal: Terminal, read: LicenceFile, plan: AllocationPlan) -> int:
    """Show what a file would allocate; return the exit code, which is not 0 if there are too few seats."""
    seats, new = plan.seats, len(plan.new)
    if terminal.as_json:
        terminal.emit(_report(read, new, plan.already_allocated, seats))
        return REFUSED if seats.missing else _code(read)
    terminal.say(
        f"Dry run, nothing is recorded: {counted(new, 'licence')} to allocate, "
        f"{plan.already_allocated:,} already allocated."
    )
    terminal.say(f"{seats.taken_before:,} of {counted(seats.seats, 'seat')} are taken; {seats.taken_after:,} would be.")
    if seats.missing:
        more = f"{counted(seats.missing, 'more seat')} needed. Add seats, revoke licences, or allocate fewer."
        terminal.say(Text(more, style="red"))
    terminal.table(
        (Column("email"), Column("first name"), Column("last name")),
        ((user.email, user.first_name, user.last_name) for user in plan.new[:ROWS_SHOWN]),
        title="New",
        more=max(0, new - ROWS_SHOWN),
    )
    code = _told(terminal, read)
    return REFUSED if seats.missing else code


def _report(read: LicenceFile, allocated: int, already_allocated: int, seats: SeatsUsed) -> AllocationReport:
    problems = grouped(read.problems)
    errors, warnings = (
        problem_rows(each for each in problems if each.severity == severity) for severity in ("error", "warning")
    )
    return AllocationReport(allocated, already_allocated, errors, warnings, list(read.passed_over), seats)


def _told(terminal: Terminal, read: LicenceFile) -> int:
    """Say what of a file is passed over and what is wrong with it; return the exit code."""
    if read.passed_over:
        terminal.say(
            f"The groups are passed over ({', '.join(dict.fromkeys(read.passed_over))}): import the file to add them."
        )
    if problems := grouped(read.problems):
        import_report.problems(terminal, problems[:ROWS_SHOWN], len(problems))
    return _code(read)


def _code(read: LicenceFile) -> int:
    return REFUSED if any(each.severity == "error" for each in read.problems) else DONE


def _refused(terminal: Terminal, name: str, read: FileProblems) -> int:
    if terminal.as_json:
        terminal.emit(AllocationReport(0, 0, problem_rows(read.problems), [], error=import_report.refused(name)))
    else:
        import_report.refusal(terminal, name, read.problems)
    return REFUSED


@licence.command("revoke", short_help="Revoke licences")
@click.argument("emails", metavar="ADDRESS...", nargs=-1)
@many_file_option
@search_option
@click.option("--only", type=click.Choice(get_args(OnlyUsers)), help="All users in no group, or without a name.")
@everything_option
@only_tell_option
@yes_option
@subscription_option
@json_option
def licence_revoke(
    *,
    emails: tuple[str, ...],
    file: Path | None,
    search: str | None,
    only: OnlyUsers | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    name_or_id: str,
    as_json: bool,
) -> int:
    """Revoke the licence of each ADDRESS, or of all users who match.

    This frees the seats and removes the users from all groups. Addresses without a licence are named and passed over.
    Before the licences in a file or of all who match are revoked, the command says what would happen and asks. Press
    Ctrl-C to stop.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        origin = operator_origin(found.id)
        matching = chosen_by_filter(emails, file, search, only, everything)
        limit = rollcall.settings.limits.file_bytes
        addresses = [] if matching else [email_key(each) for each in named_or_listed(emails, file, "address", limit)]
        if matching or file or dry_run:
            with rollcall.views() as cursor:
                if matching:
                    chosen = selections.licences_that_match(cursor, found.id, search or "", only)
                else:
                    chosen = selections.licences_by_address(cursor, found.id, addresses)
                told = chosen.impact(cursor, found.id)
            return change_many(
                terminal,
                chosen,
                told,
                lambda watch: changing_many.revoke_licences(rollcall, origin, [*chosen.keys], watch),
                only_tell=dry_run,
                yes=yes,
                question=f"Revoke these licences of “{found.name}”?",
                done="licence revoked",
            )
        revoked = revoke_licences(rollcall, origin, addresses).emails
    terminal.note_missing("Without a licence", addresses, revoked)
    if as_json:
        terminal.emit(RevocationReport(list(revoked)))
    else:
        terminal.say(f"{counted(len(revoked), 'licence')} revoked.")
    return DONE


@licence.command("list", short_help="List the licences of a subscription")
@subscription_option
@click.option("--search", metavar="TEXT", default="", help="Only users whose address or name contains this text.")
@click.option("--only", type=click.Choice(get_args(OnlyUsers)), help="Only users in no group, or without a name.")
@at_option
@limit_option
@json_option
def licence_list(
    *, name_or_id: str, search: str, only: OnlyUsers | None, at: datetime | None, limit: int | None, as_json: bool
) -> int:
    """List the licences of a subscription, by address."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with views_then(rollcall, found.id, at) as cursor:
            rows = directory.licences(cursor, found.id, search=search, only=only, limit=one_more(limit))
    terminal.listing(
        rows,
        (Column("email"), Column("first name"), Column("last name"), Column("allocated", whole=True, optional=True)),
        lambda row: (row.email, row.first_name, row.last_name, utc_time(row.allocated_at)),
        limit,
    )
    return DONE
