"""What the sentence of an event names that has a page of its own: a group or a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from domain.access import AccessGranted, AccessRevoked
from domain.addition import GroupAdded
from domain.edits import AddressCorrected, UserAdded, UserRemoved, UserRestored
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.subscription import LicencesAllocated, LicencesRevoked
from domain.undo import GroupKept, GroupUndone
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from application.records import Event

Named: TypeAlias = Literal["group", "user"]


class Mention(NamedTuple):
    """A group, by its name, or a user, by their address, and where in the sentence it begins."""

    named: Named
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where in the sentence it ends."""
        return self.start + len(self.text)


def mention(event: Event) -> Mention | None:
    """Return the group or the user that the sentence of an event names, if it names one.

    Groups of a file aren't meant: they have no page until they are added. A forgotten person isn't named.
    """
    match event:
        case (
            GroupAdded(name=name)
            | GroupUndone(name=name)
            | GroupKept(name=name)
            | GroupCreated(name=name)
            | GroupDeleted(name=name)
        ):
            return _named("group", name, event)
        case GroupNameChanged(old=old, new=new):
            return _named("group", new, event, behind=f"“{old}”")
        case AddressCorrected(old=old, new=new):
            return _named("user", new, event, behind=f"“{old}”") if new != old else None
        case UserRemoved(email=email) | UserRestored(email=email) | UserAdded(email=email):
            return _named("user", email, event)
        case UsersAddedToGroup((email,)) | UsersRemovedFromGroup((email,)) | LicencesRevoked((email,)):
            return _named("user", email, event)
        case LicencesAllocated((user,)):
            return _named("user", user.email, event)
        case AccessGranted(email=email) | AccessRevoked(email=email):
            return _named("user", email, event)
        case _:
            return None


def _named(named: Named, text: str, event: Event, behind: str = "") -> Mention | None:
    """Return a mention: the first place where the text stands in the sentence, behind another text."""
    told, quote = sentence(event), "“" if named == "group" else ""
    at = told.find(quote + text, told.find(behind) + len(behind))
    return Mention(named, text, at + len(quote)) if at >= 0 else None
