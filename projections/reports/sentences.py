"""How events read to people: a sentence and a title for each, and the actions to filter the audit log by."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from msgspec import Struct

from application.records import Event
from domain.access import AccessGranted, AccessRevoked, TokenIssued, TokenRevoked
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.downloads import Downloaded, FileDownloaded
from domain.edits import (
    AddressCorrected,
    Edit,
    GroupLeftOut,
    GroupRenamed,
    GroupTakenIn,
    UserAdded,
    UserRemoved,
    UserRestored,
)
from domain.files.encodings import ENCODINGS
from domain.forgetting import FORGOTTEN_NAME, PSEUDONYM, PersonForgotten, TextsErased
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    EncodingChosen,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportClosed,
    ImportDiscarded,
)
from domain.plan import PlanTotals
from domain.retention import FileExpired
from domain.subscription import (
    ErasureStarted,
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionClosed,
    SubscriptionCreated,
    SubscriptionErased,
    SubscriptionRenamed,
)
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoStarted, UndoStopped
from projections.reports.plan_text import plan_text
from projections.reports.result_text import completed_text
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from projections.import_list.read import LastError

FORMATS = {"user_based": "user-based", "group_based": "group-based"}
SKIPPED = {
    "no-users": "it has no users to add",
    "no-licensed-users": "none of its users has a licence",
    "left-out": "it was left out in the review",
}

DOWNLOADS: dict[Downloaded, str] = {
    "file": "the file of an import",
    "report": "the report of an import",
    "rows-not-added": "the rows of an import that were not added",
    "unlicensed": "the users of an import without a licence",
    "evidence": "the evidence of an import",
    "groups-user-based": "all groups by user",
    "groups-group-based": "all groups with their users",
    "users": "all users",
    "audit": "the audit log",
    "group-users": "the users of a group",
    "person": "what is held of a person",
    "subscription": "everything in the subscription",
}

_TITLES: dict[type[Event], str] = {
    FileUploaded: "File uploaded",
    FormatDetected: "Format recognised",
    FormatRejected: "File refused",
    EncodingChosen: "Encoding chosen",
    GroupRenamed: "Group renamed in review",
    UserRemoved: "User removed in review",
    UserRestored: "User put back in review",
    UserAdded: "User added in review",
    AddressCorrected: "Address corrected in review",
    GroupLeftOut: "Group left out in review",
    GroupTakenIn: "Group taken in again in review",
    CommitStarted: "Adding started",
    UsersLeftOut: "Users left out",
    GroupAdded: "Group added",
    GroupSkipped: "Group skipped",
    CommitStopped: "Adding stopped",
    CommitCompleted: "Import completed",
    ImportDiscarded: "Import discarded",
    ImportClosed: "Import finished early",
    UndoStarted: "Undo started",
    GroupUndone: "Group undone",
    GroupKept: "Group kept",
    UndoStopped: "Undo stopped",
    UndoCompleted: "Import undone",
    GroupCreated: "Group created",
    UsersAddedToGroup: "Users added to group",
    UsersRemovedFromGroup: "Users removed from group",
    GroupNameChanged: "Group renamed",
    GroupDeleted: "Group deleted",
    SubscriptionCreated: "Subscription created",
    SubscriptionRenamed: "Subscription renamed",
    SeatsChanged: "Seats changed",
    LicencesAllocated: "Licence allocated",
    LicencesRevoked: "Licence revoked",
    AccessGranted: "Access granted",
    AccessRevoked: "Access revoked",
    TokenIssued: "Token issued",
    TokenRevoked: "Token revoked",
    IdentityBound: "Account linked",
    IdentityReleased: "Account unlinked",
    SessionsEnded: "Signed out everywhere",
    FileDownloaded: "File downloaded",
    PersonForgotten: "Person forgotten",
    FileExpired: "File erased",
    SubscriptionClosed: "Subscription closed",
    ErasureStarted: "Erasing started",
    TextsErased: "Records rewritten",
    SubscriptionErased: "Subscription erased",
}
TITLES: Mapping[str, str] = {event.__name__: title for event, title in _TITLES.items()}
"""A title for each event, by the event's name: the `type` of a row in a history or in the audit log."""


class Action(Struct, frozen=True):
    """Something that people look for in the audit log; it covers one or more events."""

    title: str
    events: tuple[type[Event], ...]

    @property
    def types(self) -> tuple[str, ...]:
        """The names of its events, as the audit log keeps them."""
        return tuple(event.__name__ for event in self.events)


ACTIONS: Mapping[str, Action] = {
    "file-uploaded": Action("File uploaded", (FileUploaded, FormatDetected, FormatRejected)),
    "review-edited": Action("Review edited", (EncodingChosen, *get_args(Edit))),
    "import-run": Action(
        "Import started, stopped or ended",
        (CommitStarted, CommitStopped, CommitCompleted, ImportDiscarded, ImportClosed),
    ),
    "import-undone": Action("Import undone", (UndoStarted, UndoStopped, UndoCompleted)),
    "group-created": Action("Group created", (GroupCreated,)),
    "group-renamed": Action("Group renamed", (GroupNameChanged,)),
    "group-deleted": Action("Group deleted", (GroupDeleted,)),
    "users-added": Action("Users added to a group", (UsersAddedToGroup,)),
    "users-removed": Action("Users removed from a group", (UsersRemovedFromGroup,)),
    "licences-allocated": Action("Licences allocated", (LicencesAllocated,)),
    "licences-revoked": Action("Licences revoked", (LicencesRevoked,)),
    "access-granted": Action("Access granted", (AccessGranted,)),
    "access-revoked": Action("Access revoked", (AccessRevoked,)),
    "tokens-changed": Action("Tokens issued or revoked", (TokenIssued, TokenRevoked)),
    "subscription-changed": Action(
        "Subscription or seats changed", (SubscriptionCreated, SubscriptionRenamed, SeatsChanged)
    ),
    "subscription-closed": Action(
        "Subscription closed or erased", (SubscriptionClosed, ErasureStarted, SubscriptionErased)
    ),
    "file-downloaded": Action("File downloaded", (FileDownloaded,)),
    "person-forgotten": Action("Person forgotten", (PersonForgotten,)),
    "file-erased": Action("File erased", (FileExpired,)),
    "sign-in-changed": Action("Sign-in changed", (IdentityBound, IdentityReleased, SessionsEnded)),
}
"""The actions that the audit log can be filtered by, by slug. Slugs appear in addresses: add, never rename.

Each audited event belongs to exactly one.
"""
SUBSCRIPTION_ACTIONS = {slug: action for slug, action in ACTIONS.items() if slug != "sign-in-changed"}
"""The actions that happen within a subscription."""


def types_of(name: str) -> tuple[str, ...]:
    """Return the names of the events that a name stands for: those of an action by its slug, or that of one event.

    None if it stands for nothing.
    """
    return ACTIONS[name].types if name in ACTIONS else (name,) if name in TITLES else ()


def sentence(event: Event) -> str:
    """Return what happened. Names and addresses are included as they are: escape them wherever you output markup.

    Instead of a pseudonym, it says that somebody was forgotten.
    """
    return PSEUDONYM.sub(FORGOTTEN_NAME, _sentence(event))


def _sentence(event: Event) -> str:
    match event:
        case FileUploaded(name, _, size):
            return f"File uploaded: {name} ({counted(size, 'byte')})"
        case EncodingChosen(encoding=encoding, groups=groups, users=users):
            name = ENCODINGS.get(encoding, encoding)
            return f"Read again as {name}: {counted(groups, 'group')}, {counted(users, 'user')}"
        case FormatDetected(format=kind, groups=groups, users=users):
            return f"Format recognised: {FORMATS[kind]}, {counted(groups, 'group')}, {counted(users, 'user')}"
        case FormatRejected(problems):
            return f"File refused: {problems[0].message}" if problems else "File refused"
        case (
            GroupRenamed()
            | UserRemoved()
            | UserRestored()
            | UserAdded()
            | AddressCorrected()
            | GroupLeftOut()
            | GroupTakenIn()
        ):
            return _edited(event)
        case CommitStarted(plan=PlanTotals() as plan):
            what = plan_text(plan).removesuffix(".")
            return f"Started adding groups: {what[0].lower()}{what[1:]}"
        case CommitStarted(_, groups):
            return f"Started adding {counted(groups, 'group')} with users"
        case GroupAdded():
            return _group_added(event)
        case UsersLeftOut(group, users, name=name):
            return f"Left {counted(len(users), 'user')} out of {_group_of_file(group, name)}: no licence"
        case GroupSkipped(group, reason, name=name):
            return f"Skipped {_group_of_file(group, name)}: {SKIPPED[reason]}"
        case CommitStopped(added, remaining):
            return f"Stopped: {counted(added, 'group')} added, {remaining:,} remaining"
        case CommitCompleted():
            return f"Completed: {completed_text(event)}"
        case ImportDiscarded():
            return "Discarded the import"
        case ImportClosed(added, remaining):
            return f"Finished the import early: {counted(added, 'group')} added, {remaining:,} not added"
        case UndoStarted() | GroupUndone() | GroupKept() | UndoStopped() | UndoCompleted():
            return _undone(event)
        case GroupCreated(name, users):
            return f"Created group “{name}” with {counted(len(users), 'user')}"
        case UsersAddedToGroup(users):
            return f"Added {_people(users)} to the group"
        case UsersRemovedFromGroup(users):
            return f"Removed {_people(users)} from the group"
        case GroupNameChanged(old, new):
            return f"Renamed group “{old}” to “{new}”"
        case GroupDeleted(name):
            return f"Deleted group “{name}”"
        case _:
            return _about_subscription(event)


def _about_subscription(event: Event) -> str:
    match event:
        case SubscriptionCreated(name, seats):
            return f"Created subscription “{name}” with {counted(seats, 'seat')}"
        case SubscriptionRenamed(old, new):
            return f"Renamed subscription “{old}” to “{new}”"
        case SeatsChanged(before, after):
            return f"Changed the number of seats from {before:,} to {after:,}"
        case LicencesAllocated((user,)):
            return f"Allocated a licence to {user.email}"
        case LicencesAllocated(users):
            return f"Allocated licences to {counted(len(users), 'user')}"
        case LicencesRevoked((email,)):
            return f"Revoked the licence of {email}"
        case LicencesRevoked(emails):
            return f"Revoked the licences of {counted(len(emails), 'user')}"
        case SubscriptionClosed(reason):
            return f"Closed the subscription{_because(reason)}"
        case ErasureStarted(reason):
            return f"Started erasing the subscription{' without an export' if reason else ''}{_because(reason)}"
        case TextsErased(erased):
            return f"Rewrote {counted(len(erased), 'record')} so that they name nobody"
        case SubscriptionErased(records, files):
            return f"Erased the subscription: {counted(records, 'record')}, {counted(files, 'uploaded file')}"
        case PersonForgotten(records=records):
            return f"Forgot a person, who was named in {counted(records, 'record')}"
        case _:
            return _about_access(event)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _about_access(event: Event) -> str:
    match event:
        case FileDownloaded(what, name):
            return f"Downloaded {DOWNLOADS[what]} ({name})"
        case FileExpired(name, days):
            return f"Erased {f'the file {name}' if name else 'a licence file'}, kept for {counted(days, 'day')}"
        case AccessGranted(email, role):
            return f"Granted {email} the {role} role"
        case AccessRevoked(email, role):
            return f"Revoked the {role} role from {email}"
        case TokenIssued(name, role, _, expires_at):
            expiry = f"expires {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else "no expiry"
            return f"Issued token “{name}” with the {role} role ({expiry})"
        case TokenRevoked(name):
            return f"Revoked token “{name}”"
        case IdentityBound(email, issuer, subject):
            return f"Linked {email} to account “{subject}” at {issuer}"
        case IdentityReleased(email, issuer, subject):
            return f"Unlinked {email} from account “{subject}” at {issuer}"
        case SessionsEnded(email):
            return f"Signed {email} out everywhere"
        case _:
            raise ValueError(event)


def attempts(error: LastError) -> str:
    """Return how often adding groups failed, and when it is tried again."""
    often = "once" if error.failures == 1 else f"{error.failures:,} times in a row"
    last, following = (f"{at:%H:%M:%S}" for at in (error.failed_at, error.retry_at))
    return f"This failed {often}, most recently at {last} UTC. The next attempt is at {following} UTC."


def _edited(event: Edit) -> str:
    match event:
        case GroupRenamed(_, old, new, reset=True):
            return f"Renamed group “{old}” of the file back to “{new}”"
        case GroupRenamed(_, old, new):
            return f"Renamed group “{old}” of the file to “{new}”"
        case UserRemoved(group, email, name):
            return f"Removed {email} from {_edited_group(group, name)}"
        case UserRestored(group, email, name):
            return f"Put {email} back into {_edited_group(group, name)}"
        case UserAdded(group, email, name):
            return f"Added {email} to {_edited_group(group, name)}"
        case AddressCorrected(old, new, groups, name):
            several = f"{counted(len(groups), 'group')} of the file"
            where = _edited_group(groups[0], name) if len(groups) == 1 else several
            if new == old:
                return f"Took back the correction of “{old}” in {where}"
            return f"Corrected “{old}” to {new} in {where}"
        case GroupLeftOut(group, name, in_file):
            return f"Left {_edited_group(group, name, in_file)} out"
        case GroupTakenIn(group, name, in_file):
            return f"Took {_edited_group(group, name, in_file)} in again"


def _edited_group(number: int, name: str, in_file: str = "") -> str:
    """Return how to speak of a group of a file that is edited; early imports didn't record its name."""
    if not name:
        return f"group {number} of the file"
    return f"group “{name}” (“{in_file}” in the file)" if in_file else f"group “{name}” of the file"


def _group_of_file(number: int, name: str) -> str:
    """Return how to speak of a group of a file; its name wasn't always recorded."""
    return f"group “{name}”" if name else f"group {number} of the file"


def _group_added(event: GroupAdded) -> str:
    users = counted(event.users_added, "user")
    if event.created:
        what = f"Created group “{event.name}” with {users}"
    else:
        what = f"Added {users} to {'the same' if event.joins else 'existing'} group “{event.name}”"
    if event.users_already_there:
        what += f", {event.users_already_there:,} already in it"
    if event.left_out:
        what += f", {event.left_out:,} left out (no licence)"
    return what


def _undone(event: UndoStarted | GroupUndone | GroupKept | UndoStopped | UndoCompleted) -> str:
    match event:
        case UndoStarted(_, groups):
            return f"Started undoing the import: {counted(groups, 'group')}"
        case GroupUndone(name=name, deleted=True, users_removed=users):
            return f"Deleted group “{name}” with {counted(users, 'user')}"
        case GroupUndone(name=name, users_removed=0):
            return f"Nothing was left to undo in group “{name}”"
        case GroupUndone(name=name, users_removed=users, users_kept=kept):
            others = f", kept {counted(kept, 'user')} added again by others" if kept else ""
            return f"Removed {counted(users, 'user')} from group “{name}”{others}"
        case GroupKept(name=name, changes=changes):
            return f"Kept group “{name}”: {counted(changes, 'later change')} by others"
        case UndoStopped(done, remaining):
            return f"Stopped undoing: {counted(done, 'group')} done, {remaining:,} remaining"
        case UndoCompleted(groups_deleted, users_removed, groups_kept):
            what = f"Undone: {counted(groups_deleted, 'group')} deleted, {counted(users_removed, 'user')} removed"
            return what + (f", {counted(groups_kept, 'group')} kept" if groups_kept else "")


def _people(users: tuple[str, ...]) -> str:
    return users[0] if len(users) == 1 else counted(len(users), "user")
