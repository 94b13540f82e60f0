"""What sentences name, where it stands in them, and what they don't name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.access import AccessGranted
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.edits import AddressCorrected, GroupRenamed, UserAdded, UserRemoved
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.subscription import LicencesAllocated, LicencesRevoked, User
from domain.undo import GroupKept, GroupUndone
from projections.reports.mentions import mention
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from application.records import Event

GROUP = UUID(int=1)
ANN = "ann@example.com"


@pytest.mark.parametrize(
    ("event", "before", "named"),
    [
        (GroupAdded(1, GROUP, "group", created=True, users_added=2, users_already_there=0), "Created group “", "group"),
        (GroupAdded(1, GROUP, "2 users", False, 2, 0), "Added 2 users to existing group “", "2 users"),
        (GroupUndone(1, GROUP, "Sales", deleted=True, users_removed=2), "Deleted group “", "Sales"),
        (GroupKept(1, GROUP, "Kept group", 1, 1, (2,)), "Kept group “", "Kept group"),
        (GroupCreated("“Sales”", ()), "Created group “", "“Sales”"),
        (GroupDeleted("Sales"), "Deleted group “", "Sales"),
        (GroupNameChanged("Sales", "Sales Europe"), "Renamed group “Sales” to “", "Sales Europe"),
        (GroupNameChanged("A” to “B", "B"), "Renamed group “A” to “B” to “", "B"),
        (UserAdded(1, ANN, ANN), "Added ", ANN),
        (UserRemoved(1, ANN, "Sales"), "Removed ", ANN),
        (AddressCorrected(f"{ANN}.", ANN, (1,), ANN), f"Corrected “{ANN}.” to ", ANN),
        (UsersAddedToGroup((ANN,)), "Added ", ANN),
        (UsersRemovedFromGroup((ANN,)), "Removed ", ANN),
        (LicencesAllocated((User(ANN),)), "Allocated a licence to ", ANN),
        (LicencesRevoked((ANN,)), "Revoked the licence of ", ANN),
        (AccessGranted(ANN, "auditor"), "Granted ", ANN),
    ],
)
def test_a_group_or_a_user_is_found_where_the_sentence_names_it(event: Event, before: str, named: str) -> None:
    found = mention(event)
    assert found is not None
    text = sentence(event)
    assert (text[: found.start], text[found.start : found.end], found.text) == (before, named, named)
    assert found.named == ("user" if named == ANN else "group")


@pytest.mark.parametrize(
    "event",
    [
        UsersLeftOut(1, (ANN,), name="Sales"),
        GroupSkipped(1, "no-users", name="Sales"),
        GroupRenamed(1, "Sales", "Europe"),
        UsersAddedToGroup((ANN, "ben@example.com")),
        LicencesRevoked((ANN, "ben@example.com")),
        AddressCorrected(ANN, ANN, (1,), "Sales"),
        LicencesAllocated((User("forgotten-0f1e2d3c4b5a6978@forgotten.invalid"),)),
    ],
)
def test_groups_of_a_file_several_users_and_forgotten_people_are_not_named(event: Event) -> None:
    assert mention(event) is None
