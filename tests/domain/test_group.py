from __future__ import annotations

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.group import (
    DeletedGroup,
    Group,
    GroupCreated,
    GroupDeleted,
    GroupNameChanged,
    UsersAddedToGroup,
    UsersRemovedFromGroup,
    add_users,
    create_group,
    delete_group,
    fold,
    remove_users,
    rename_group,
)
from tests.scenarios import given

USERS = st.lists(st.sampled_from("abcdef"))


def test_a_user_given_twice_is_added_to_a_new_group_once() -> None:
    assert create_group("Sales", ["ann", "ben", "ann"]) == (GroupCreated("Sales", ("ann", "ben")),)


def test_only_users_who_are_not_in_the_group_are_added() -> None:
    created = GroupCreated("Sales", ("ann",))
    given(fold, created).when(lambda group: _added(group, ["ann", "ben", "ben"])).then((UsersAddedToGroup(("ben",)),))


def test_adding_only_existing_users_changes_nothing() -> None:
    created = GroupCreated("Sales", ("ann",))
    given(fold, created).when(lambda group: _added(group, ["ann"])).then(())


def test_a_group_is_renamed() -> None:
    created = GroupCreated("Sales", ())
    given(fold, created).when(lambda group: rename_group(_alive(group), "SALES")).then(
        GroupNameChanged("Sales", "SALES")
    )


def test_renaming_a_group_to_its_own_name_changes_nothing() -> None:
    given(fold, GroupCreated("Sales", ())).when(lambda group: rename_group(_alive(group), "Sales")).then_nothing()


def test_a_group_is_deleted_under_its_current_name() -> None:
    happened = (GroupCreated("Sales", ("ann",)), GroupNameChanged("Sales", "Europe"))
    given(fold, *happened).when(lambda group: delete_group(_alive(group))).then(GroupDeleted("Europe"))


def test_only_users_who_are_in_the_group_are_removed() -> None:
    created = GroupCreated("Sales", ("ann", "ben"))
    given(fold, created).when(lambda group: remove_users(_alive(group).users, ["cem", "ben", "ben"])).then(
        (UsersRemovedFromGroup(("ben",)),)
    )


def test_removing_users_who_are_not_in_the_group_changes_nothing() -> None:
    given(fold, GroupCreated("Sales", ("ann",))).when(lambda group: remove_users(_alive(group).users, ["ben"])).then(())


def test_a_group_has_its_latest_name_and_users() -> None:
    state = given(
        fold,
        GroupCreated("Sales", ("ann",)),
        UsersAddedToGroup(("ben", "cem")),
        UsersRemovedFromGroup(("ann",)),
        GroupNameChanged("Sales", "Europe"),
    ).state
    assert state == Group("Europe", frozenset({"ben", "cem"}))


def test_no_event_can_follow_a_deletion() -> None:
    deleted = given(fold, GroupCreated("Sales", ()), GroupDeleted("Sales")).state
    assert deleted == DeletedGroup()
    with pytest.raises(ValueError, match="cannot follow"):
        fold(deleted, [UsersAddedToGroup(("ann",))])


def test_more_users_than_an_event_holds_are_in_several() -> None:
    users = [f"user{number}" for number in range(2_001)]
    created = create_group("Sales", users)
    assert [type(event) for event in created] == [GroupCreated, UsersAddedToGroup, UsersAddedToGroup]
    assert [len(event.users) for event in created] == [1_000, 1_000, 1]
    group = _alive(fold(None, created))
    assert group == Group("Sales", frozenset(users))
    assert [len(event.users) for event in remove_users(group.users, users)] == [1_000, 1_000, 1]
    assert [len(event.users) for event in add_users(Group("Sales", frozenset()), users)] == [1_000, 1_000, 1]


@for_all(USERS, USERS)
def test_adding_the_same_users_again_changes_nothing(first: list[str], then: list[str]) -> None:
    group = _alive(fold(None, create_group("Sales", first)))
    after = _alive(fold(group, add_users(group, then)))
    assert after.users == {*first, *then}
    assert add_users(after, then) == ()


@for_all(USERS, USERS)
def test_removing_the_same_users_again_changes_nothing(first: list[str], then: list[str]) -> None:
    group = _alive(fold(None, create_group("Sales", first)))
    after = _alive(fold(group, remove_users(group.users, then)))
    assert after.users == {*first} - {*then}
    assert remove_users(after.users, then) == ()


def _added(group: object, users: list[str]) -> tuple[UsersAddedToGroup, ...]:
    return add_users(_alive(group), users)


def _alive(group: object) -> Group:
    assert isinstance(group, Group)
    return group
