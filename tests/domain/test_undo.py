"""What undoing an import does to one group, given everything that happened to the group."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.addition import GroupAdded
from domain.group import (
    GroupCreated,
    GroupDeleted,
    GroupEvent,
    GroupNameChanged,
    UsersAddedToGroup,
    UsersRemovedFromGroup,
)
from domain.undo import VERSIONS_AN_EVENT, Change, GroupKept, GroupUndone, Reversal, UndoProgress, undo_group

if TYPE_CHECKING:
    from collections.abc import Sequence

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
OURS, OTHER, BY_HAND = UUID(int=1), UUID(int=2), None
GROUP = UUID(int=9)
ADDED = GroupAdded(3, GROUP, "Sales", True, 2, 0)

CREATED = (OURS, GroupCreated("Sales", (ANN, BEN)))
THEIRS = (BY_HAND, GroupCreated("Sales", (CEM,)))
JOINED = (OURS, UsersAddedToGroup((ANN, BEN)))


def undone(*happened: tuple[UUID | None, GroupEvent]) -> Reversal:
    history = [Change(version, event, whose) for version, (whose, event) in enumerate(happened, start=1)]
    return undo_group(ADDED, OURS, history)


def kept(users: int, *versions: int, name: str = "Sales") -> Reversal:
    return Reversal(GroupKept(3, GROUP, name, users, len(versions), versions))


def test_a_group_that_the_import_created_is_deleted() -> None:
    assert undone(CREATED) == Reversal(GroupUndone(3, GROUP, "Sales", True, 2), (GroupDeleted("Sales"),))


def test_what_the_import_itself_added_later_goes_with_the_group() -> None:
    """Two groups of the file may have the same name: the second joined the first."""
    found = undone(CREATED, (OURS, UsersAddedToGroup((CEM,))))
    assert found == Reversal(GroupUndone(3, GROUP, "Sales", True, 3), (GroupDeleted("Sales"),))


@pytest.mark.parametrize(
    ("change", "users", "name"),
    [
        (UsersAddedToGroup((CEM,)), 2, "Sales"),
        (UsersRemovedFromGroup((BEN,)), 1, "Sales"),
        (GroupNameChanged("Sales", "Selling"), 2, "Selling"),
    ],
)
def test_a_group_that_somebody_has_changed_since_is_kept_whole(change: GroupEvent, users: int, name: str) -> None:
    assert undone(CREATED, (BY_HAND, change)) == kept(users, 2, name=name)


def test_a_group_to_which_another_import_has_added_users_is_kept_whole() -> None:
    assert undone(CREATED, (OTHER, UsersAddedToGroup((CEM,)))) == kept(2, 2)


def test_a_group_is_deleted_once_the_other_import_was_undone() -> None:
    """So two imports of the wrong file can be undone one after the other."""
    others = (OTHER, UsersAddedToGroup((CEM,))), (OTHER, UsersRemovedFromGroup((CEM,)))
    assert undone(CREATED, *others) == Reversal(GroupUndone(3, GROUP, "Sales", True, 2), (GroupDeleted("Sales"),))


def test_a_kept_group_lists_the_latest_changes_only() -> None:
    changes: Sequence[tuple[None, GroupEvent]] = [
        (BY_HAND, GroupNameChanged(str(number), str(number + 1))) for number in range(100)
    ]
    event = undone(CREATED, *changes).event
    assert (event.changes, event.versions) == (100, tuple(range(102 - VERSIONS_AN_EVENT, 102)))


def test_from_a_group_that_existed_only_those_are_removed_whom_the_import_added() -> None:
    assert undone(THEIRS, JOINED) == Reversal(
        GroupUndone(3, GROUP, "Sales", False, 2), (UsersRemovedFromGroup((ANN, BEN)),)
    )


def test_other_changes_of_a_group_that_existed_do_not_matter() -> None:
    others = (BY_HAND, GroupNameChanged("Sales", "Selling")), (OTHER, UsersAddedToGroup(("dan@example.com",)))
    assert undone(THEIRS, JOINED, *others) == Reversal(
        GroupUndone(3, GROUP, "Selling", False, 2), (UsersRemovedFromGroup((ANN, BEN)),)
    )


def test_who_was_removed_and_added_again_by_others_stays() -> None:
    again = (BY_HAND, UsersRemovedFromGroup((BEN,))), (OTHER, UsersAddedToGroup((BEN,)))
    assert undone(THEIRS, JOINED, *again) == Reversal(
        GroupUndone(3, GROUP, "Sales", False, 1, 1, 1, (4,)), (UsersRemovedFromGroup((ANN,)),)
    )


def test_if_all_of_them_were_added_again_by_others_the_group_is_kept() -> None:
    again = (BY_HAND, UsersRemovedFromGroup((ANN, BEN))), (BY_HAND, UsersAddedToGroup((ANN, BEN)))
    assert undone(THEIRS, JOINED, *again) == kept(2, 4)


@pytest.mark.parametrize(
    "happened",
    [
        (CREATED, (BY_HAND, GroupDeleted("Sales"))),
        (THEIRS, JOINED, (BY_HAND, GroupDeleted("Sales"))),
        (THEIRS, JOINED, (BY_HAND, UsersRemovedFromGroup((ANN, BEN)))),
        ((BY_HAND, GroupCreated("Sales", (ANN, BEN))),),
        (),
    ],
    ids=["created, deleted", "joined, deleted", "all removed", "all were there", "lost"],
)
def test_if_nothing_is_left_of_what_the_import_did_nothing_happens(
    happened: Sequence[tuple[UUID | None, GroupEvent]],
) -> None:
    assert undone(*happened) == Reversal(GroupUndone(3, GROUP, "Sales"))


def test_the_progress_counts_a_group_with_something_kept_as_kept() -> None:
    progress = UndoProgress()
    for event in (
        GroupUndone(1, GROUP, "A", deleted=True, users_removed=3),
        GroupUndone(4, GROUP, "B", users_removed=2, users_kept=1, changes=1, versions=(4,)),
        GroupKept(5, GROUP, "C", 2, 1, (2,)),
        GroupUndone(6, GROUP, "D"),
    ):
        progress = progress.after(event)
    assert progress == UndoProgress(done=6, groups=4, deleted=1, removed=5, kept=2)
