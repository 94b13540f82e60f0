"""What an event says to people, in a sentence: for the audit log and for an import's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.access import AccessGranted, AccessRevoked, TokenIssued, TokenRevoked
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    GroupAdded,
    GroupRenamed,
    GroupSkipped,
    ImportDiscarded,
    UserRemoved,
)
from domain.subscription import (
    LicenceAllocated,
    LicenceRevoked,
    SeatsChanged,
    SeatsReturned,
    SeatsTaken,
    SubscriptionCreated,
    SubscriptionRenamed,
)

if TYPE_CHECKING:
    from application.records import Event

FORMATS = {"user_based": "user-based", "group_based": "group-based"}
SKIPPED = {
    "no-users": "nobody was left to add",
    "no-licensed-users": "none of its users holds a licence",
}


def sentence(event: Event) -> str:
    """Return what happened; names and addresses are data, to be escaped wherever this is shown as markup."""
    match event:
        case FileUploaded(name, _, size):
            return f"Uploaded “{name}” ({counted(size, 'byte')})"
        case FormatDetected(format=kind, groups=groups, users=users):
            return f"Read it as a {FORMATS[kind]} file: {counted(groups, 'group')}, {counted(users, 'user')}"
        case FormatRejected(problems):
            return f"Refused it: {problems[0].message}" if problems else "Refused it"
        case GroupRenamed(group, old, new):
            return f"Renamed group {group} of the file from “{old}” to “{new}”"
        case UserRemoved(group, email):
            return f"Removed {email} from group {group} of the file"
        case CommitStarted(_, groups):
            return f"Started to add {counted(groups, 'group')}"
        case GroupAdded():
            return _group_added(event)
        case GroupSkipped(group, reason):
            return f"Skipped group {group} of the file: {SKIPPED[reason]}"
        case CommitStopped(added, remaining):
            return f"Stopped with {counted(added, 'group')} added and {remaining:,} to go"
        case CommitCompleted(added, skipped):
            return f"Completed: {counted(added, 'group')} added, {skipped:,} skipped"
        case ImportDiscarded():
            return "Discarded the import"
        case GroupCreated(name, users):
            return f"Created the group “{name}” with {counted(len(users), 'user')}"
        case UsersAddedToGroup(users):
            return f"Added {_people(users)} to the group"
        case UsersRemovedFromGroup(users):
            return f"Removed {_people(users)} from the group"
        case GroupNameChanged(old, new):
            return f"Renamed the group “{old}” to “{new}”"
        case GroupDeleted(name):
            return f"Deleted the group “{name}”"
        case SubscriptionCreated(name, seats):
            return f"Created the subscription “{name}” with {counted(seats, 'seat')}"
        case SubscriptionRenamed(old, new):
            return f"Renamed the subscription “{old}” to “{new}”"
        case SeatsChanged(before, after):
            return f"Changed the number of seats from {before:,} to {after:,}"
        case SeatsTaken(seats):
            return f"Took {counted(seats, 'seat')}"
        case SeatsReturned(seats):
            return f"Returned {counted(seats, 'seat')}"
        case LicenceAllocated(email):
            return f"Allocated a licence to {email}"
        case LicenceRevoked(email):
            return f"Revoked the licence of {email}"
        case AccessGranted(email, role):
            return f"Granted {email} the role {role}"
        case AccessRevoked(email, role):
            return f"Took the role {role} from {email}"
        case TokenIssued(name, role, _, expires_at):
            until = f", good until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else ""
            return f"Issued the token “{name}” with the role {role}{until}"
        case TokenRevoked(name):
            return f"Revoked the token “{name}”"
        case IdentityBound(email, issuer, subject):
            return f"Bound {email} to the account “{subject}” of {issuer}"
        case IdentityReleased(email, issuer, subject):
            return f"Released {email} from the account “{subject}” of {issuer}"
        case SessionsEnded(email):
            return f"Ended the sessions of {email}"


def counted(number: int, noun: str) -> str:
    """Return `1 group`, `2 groups`, `1,000 groups`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _group_added(event: GroupAdded) -> str:
    what = f"Created “{event.name}”" if event.created else f"Merged into “{event.name}”"
    parts = [f"{counted(event.users_added, 'user')} added"]
    if event.users_already_there:
        parts.append(f"{event.users_already_there:,} already there")
    if event.left_out:
        parts.append(f"{len(event.left_out):,} left out")
    return f"{what}: {', '.join(parts)}"


def _people(users: tuple[str, ...]) -> str:
    return users[0] if len(users) == 1 else counted(len(users), "user")
