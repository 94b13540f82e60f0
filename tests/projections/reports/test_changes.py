"""What an event of an import changed says for which groups and people, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args
from uuid import UUID

import pytest

from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.edits import AddressCorrected, Edit, GroupLeftOut, GroupRenamed, GroupTakenIn, UserAdded, UserRemoved
from domain.import_session import CommitStopped, ImportEvent
from domain.undo import GroupKept, GroupUndone
from projections.reports.changes import WHOLE, Change, change_by, change_text

if TYPE_CHECKING:
    from application.records import Event

ANN, BEN = "ann@example.com", "ben@example.com"
FORGOTTEN = "forgotten-0f1e2d3c4b5a6978@forgotten.invalid"
OF_GROUPS = {*get_args(Edit), UsersLeftOut, GroupAdded, GroupSkipped, GroupUndone, GroupKept}
ID = UUID(int=1)


def test_each_event_of_an_import_changes_groups_or_the_import_as_a_whole() -> None:
    assert OF_GROUPS | set(WHOLE) == set(get_args(ImportEvent))
    assert OF_GROUPS.isdisjoint(WHOLE)


@pytest.mark.parametrize(
    ("event", "change", "text"),
    [
        (
            GroupRenamed(7, "Sales", "Sales EU"),
            Change("renamed", (7,), "Sales EU", "Sales", "Sales EU"),
            "Renamed from “Sales”",
        ),
        (UserRemoved(7, ANN, "Sales"), Change("user_removed", (7,), "Sales", users=(ANN,)), f"Removed {ANN}"),
        (UserAdded(7, ANN, "Sales"), Change("user_added", (7,), "Sales", users=(ANN,)), f"Added {ANN}"),
        (
            AddressCorrected("ann@", ANN, (7, 8)),
            Change("address_corrected", (7, 8), "", "ann@", ANN, (ANN,)),
            f"Corrected “ann@” to {ANN}",
        ),
        (
            AddressCorrected(ANN, ANN, (7,), "Sales"),
            Change("address_corrected", (7,), "Sales", ANN, ANN, (ANN,)),
            f"Took back the correction of “{ANN}”",
        ),
        (GroupLeftOut(7, "Sales"), Change("group_left_out", (7,), "Sales"), "Left out"),
        (GroupTakenIn(7, "Sales"), Change("group_taken_in", (7,), "Sales"), "Taken in again"),
        (
            UsersLeftOut(7, (ANN, BEN), name="Sales"),
            Change("users_left_out", (7,), "Sales", users=(ANN, BEN)),
            "Left out 2 users without a licence",
        ),
        (
            GroupAdded(7, ID, "Sales", created=True, users_added=2, users_already_there=0),
            Change("created", (7,), "Sales", users=(ANN, BEN)),
            "Created with 2 users",
        ),
        (
            GroupAdded(7, ID, "Sales", created=False, users_added=2, users_already_there=0),
            Change("added_to", (7,), "Sales", users=(ANN, BEN)),
            "Added 2 users",
        ),
        (GroupSkipped(7, "left-out", name="Sales"), Change("skipped", (7,), "Sales"), "Skipped"),
        (GroupUndone(7, ID, "Sales", deleted=True), Change("deleted", (7,), "Sales"), "Deleted again"),
        (GroupUndone(7, ID, "Sales", users_removed=1), Change("users_removed", (7,), "Sales"), "Users removed again"),
        (GroupUndone(7, ID, "Sales"), Change("nothing_left", (7,), "Sales"), "Nothing was left to undo"),
        (
            GroupKept(7, ID, "Sales", 1, 1, (2,)),
            Change("kept", (7,), "Sales"),
            "Kept, because others have changed it",
        ),
        (CommitStopped(1, 1), Change("stopped"), ""),
    ],
)
def test_a_change_names_the_groups_and_the_people(event: Event, change: Change, text: str) -> None:
    found = change_by(event, (ANN, BEN))
    assert (found, change_text(found)) == (change, text)


def test_somebody_who_was_forgotten_is_not_named_by_a_pseudonym() -> None:
    assert change_text(change_by(UserRemoved(7, FORGOTTEN, "Sales"))) == "Removed a forgotten person"
