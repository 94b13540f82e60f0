"""Edit an import in review: rename groups or leave them out; remove, add and correct users; take edits back."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from application.decisions import Decision, decide_and_append, unless_stale
from application.importing import ImportResult, find_session, plan_at, session_decision, stored_roster
from domain import edits, import_session
from domain.addresses import email_key, parse_email
from domain.edits import Plan
from domain.errors import NotFound, Refused
from domain.import_session import Committing, ImportSession, Reviewing, Stopped
from domain.naming import parse_group_name, printable
from domain.roster import NamedGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from application.ports import Ports
    from application.records import Origin
    from application.rosters import StoredRoster
    from domain.addresses import PrivateDomains
    from domain.edits import Edit

# --- what can be asked for ------------------------------------------------------------------------------------------


class _Asked(Struct, frozen=True, forbid_unknown_fields=True, tag_field="edit"):
    """An edit that is asked for. Groups are those of the file, by number."""


class Rename(_Asked, frozen=True, tag="rename"):
    """Give a group another name. `null` is its name in the file."""

    group: int
    name: str | None


class Remove(_Asked, frozen=True, tag="remove"):
    """Remove a user from a group."""

    group: int
    email: str


class Restore(_Asked, frozen=True, tag="restore"):
    """Put a user back who was removed from a group."""

    group: int
    email: str


class Add(_Asked, frozen=True, tag="add"):
    """Add a user to a group."""

    group: int
    email: str


class Correct(_Asked, frozen=True, tag="correct"):
    """Put an address in place of one in the file, in every group that has it, or in one group only.

    `old` is the address in the file, or what a cell holds that is no address. With `new` as `null`, what the file says
    holds again. A group from which the user was removed is left alone.
    """

    old: str
    new: str | None
    group: int | None = None


class LeaveOut(_Asked, frozen=True, tag="leave_out"):
    """Leave a whole group out."""

    group: int


class TakeIn(_Asked, frozen=True, tag="take_in"):
    """Take a group in again that was left out."""

    group: int


AskedEdit: TypeAlias = Rename | Remove | Restore | Add | Correct | LeaveOut | TakeIn


# --- use cases ------------------------------------------------------------------------------------------------------


def edit(ports: Ports, origin: Origin, asked: Sequence[AskedEdit], expected: int | None) -> ImportResult:
    """Make edits in this order, all of them or none.

    Raises NotFound, GroupNameInvalid, EmailInvalid, Stale and WrongState. If there are several edits, the error's field
    says which of them is refused, counted from 0: `edits[0]`.
    """

    def decide(session: ImportSession) -> list[Edit] | None:
        match session:
            case Reviewing(plan) | Committing(plan) | Stopped(plan):
                roster = stored_roster(ports, origin.subscription_id, plan.roster)
                found = _decide_on_all(roster, plan, asked, ports.private_domains)
                if found and not isinstance(session, Reviewing):
                    raise import_session.wrong_state(session, "edit")
                return found or None
            case _:
                raise import_session.wrong_state(session, "edit")

    return _edit_session(ports, origin, expected, decide)


def rename_group(ports: Ports, origin: Origin, number: int, name: str, expected: int | None) -> ImportResult:
    """Give a group of the file another name; raises GroupNameInvalid, NotFound, Stale and WrongState."""
    return edit(ports, origin, [Rename(number, name)], expected)


def remove_user(ports: Ports, origin: Origin, number: int, email: str, expected: int | None) -> ImportResult:
    """Leave a user out of a group of the file; raises NotFound, Stale and WrongState."""
    return edit(ports, origin, [Remove(number, email)], expected)


def leave_group_out(ports: Ports, origin: Origin, number: int, expected: int | None) -> ImportResult:
    """Leave a whole group of the file out; raises NotFound, Stale and WrongState."""
    return edit(ports, origin, [LeaveOut(number)], expected)


def take_group_in(ports: Ports, origin: Origin, number: int, expected: int | None) -> ImportResult:
    """Take a group of the file in again that was left out; raises NotFound, Stale and WrongState."""
    return edit(ports, origin, [TakeIn(number)], expected)


def take_edits_back(ports: Ports, origin: Origin, since: int, expected: int | None) -> ImportResult:
    """Take all edits back that were made after a version; raises NotFound, Stale and WrongState."""

    def decide(session: ImportSession) -> list[Edit] | None:
        then = plan_at(ports, find_session(ports, origin).id, since)
        match session:
            case Reviewing(now) if then is not None and now.roster == then.roster:
                roster = stored_roster(ports, origin.subscription_id, now.roster)
                return edits.edit_back(now, then, roster.group_name) or None
            case Reviewing():
                raise NotFound(what="version to go back to", id=since)
            case _:
                raise import_session.wrong_state(session, "edit")

    return _edit_session(ports, origin, expected, decide)


def _edit_session(
    ports: Ports, origin: Origin, expected: int | None, decide: Callable[[ImportSession], list[Edit] | None]
) -> ImportResult:
    def decide_on_stream() -> Decision[ImportResult]:
        stream = find_session(ports, origin)
        return session_decision(ports, stream, *(unless_stale(stream, expected, decide) or ()))

    return decide_and_append(ports, origin, decide_on_stream)


# --- decisions on what is asked for ---------------------------------------------------------------------------------


def edited_plan(roster: StoredRoster, asked: Sequence[AskedEdit], private: PrivateDomains = ()) -> Plan:
    """Return the plan of a file with these edits; raises NotFound, GroupNameInvalid and EmailInvalid."""
    folded = edits.Edits(Plan("", len(roster)))
    for event in _decide_on_all(roster, folded.plan(), asked, private):
        folded.add(event)
    return folded.plan()


def _decide_on_all(roster: StoredRoster, plan: Plan, asked: Sequence[AskedEdit], private: PrivateDomains) -> list[Edit]:
    found: list[Edit] = []
    folded = edits.Edits(plan)
    for at, each in enumerate(asked):
        try:
            decided = _decide_on(roster, Reviewing(folded.plan() if found else plan), each, private)
        except Refused as refusal:
            if len(asked) > 1:
                refusal.fields["field"] = f"edits[{at}]"
            raise
        for event in decided:
            if event is not None:
                folded.add(event)
                found.append(event)
    return found


def _decide_on(
    roster: StoredRoster, session: Reviewing, asked: AskedEdit, private: PrivateDomains
) -> Sequence[Edit | None]:
    match asked:
        case Rename(number, name):
            group = roster.group(number)
            return [edits.rename_group(session, group, group.name if name is None else parse_group_name(name))]
        case Remove(number, email):
            return [edits.remove_user(session, roster.group(number), email_key(email))]
        case Restore(number, email):
            return [edits.restore_user(session, roster.group(number), email_key(email))]
        case Add(number, email):
            return [edits.add_user(session, roster.group(number), parse_email(email, private))]
        case Correct(old, new, number):
            in_file, numbers, is_address = _groups_with(roster, old)
            if number is not None:
                numbers = [number] if number in numbers else []
            if not numbers:
                raise NotFound(what="group of this file with the address", id=old)
            groups = starmap(NamedGroup, zip(numbers, roster.names_of_groups(numbers), strict=True))
            meant = in_file if new is None else parse_email(new, private)
            return edits.correct_address(session, groups, in_file, meant, None if is_address else roster.problems())
        case LeaveOut(number):
            return [edits.leave_group_out(session, roster.group(number))]
        case TakeIn(number):
            return [edits.take_group_in(session, roster.group(number))]


def _groups_with(roster: StoredRoster, text: str) -> tuple[str, list[int], bool]:
    """Return a cell as the file has it, the numbers of the groups that it is in, and whether it is an address."""
    email = email_key(text)
    if (user := roster.indexes_of([email]).get(email)) is not None:
        numbers = [number for number, (_, users) in enumerate(roster.every_group(), start=1) if user in users]
        return email, numbers, True
    cell = printable(text)
    wrong = (problem for problem in roster.problems() if problem.code == "email-invalid" and problem.value == cell)
    return cell, sorted({number for problem in wrong for number in problem.groups}), False
