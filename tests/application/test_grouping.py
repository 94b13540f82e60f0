"""Groups by hand: who may be in them, what they may be called, and what happens beside others who are faster."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from application.decisions import CommandResult, RequestKey
from application.grouping import Joined, add_users, create_group, delete_group, remove_users, rename_group
from application.licensing import revoke_licences
from application.records import Origin
from domain.errors import (
    EmailsInvalid,
    GroupNameInvalid,
    GroupNameTaken,
    GroupRenamedMeanwhile,
    KeyReused,
    NotFound,
    NotLicensed,
)
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from tests.conftest import ANN as ANN_ACTOR
from tests.conftest import subscribed, without_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.composition import Rollcall
    from application.ports import Claims
    from application.records import Event, Record

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"


@pytest.fixture
def rollcall(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Rollcall:
    """Nobody waits for views that nobody keeps up, nor for a turn: some interfere within others' decisions."""
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
    return without_turns(idle)


@pytest.fixture
def origin(rollcall: Rollcall) -> Origin:
    """Return an administrator's origin in a subscription that licenses Ann and Ben."""
    return subscribed(rollcall, ANN, BEN)


def created(rollcall: Rollcall, origin: Origin, name: str = "Sales", *users: str) -> UUID:
    return create_group(rollcall, origin, uuid4(), name, users).id


def happened(rollcall: Rollcall, group: UUID) -> list[Event]:
    return [record.event for record in rollcall.events.history(group)]


def bearers(rollcall: Rollcall, origin: Origin, *names: str) -> set[UUID]:
    return set(rollcall.events.held(origin.subscription_id, "group-name", map(group_key, names)).values())


def before_the_next_append(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen between a decision and its append."""
    append = rollcall.events.append

    def late(subscription: UUID, records: Sequence[Record], claims: Claims) -> int:
        monkeypatch.undo()
        happens()
        return append(subscription, records, claims)

    monkeypatch.setattr(rollcall.events, "append", late)


# --- create ---------------------------------------------------------------------------------------------------------


def test_a_group_is_created_with_its_users(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "  Sales   Europe ", "Ann@Example.com", BEN, ANN)
    assert happened(rollcall, group) == [GroupCreated("Sales Europe", (ANN, BEN))]
    assert rollcall.events.history(group)[0].origin == origin


def test_a_name_is_borne_by_one_group_however_it_is_spelled(rollcall: Rollcall, origin: Origin) -> None:
    created(rollcall, origin, "Straße")
    with pytest.raises(GroupNameTaken, match="“STRASSE”"):
        created(rollcall, origin, "STRASSE")
    created(rollcall, subscribed(rollcall), "Straße")


def test_a_name_is_refused_as_imports_refuse_it(rollcall: Rollcall, origin: Origin) -> None:
    for name in ("", "a\x00b", "x" * 256, "\u200b"):
        with pytest.raises(GroupNameInvalid):
            created(rollcall, origin, name)


def test_one_user_who_cannot_be_added_refuses_all_and_everyone_is_named(rollcall: Rollcall, origin: Origin) -> None:
    with pytest.raises(NotLicensed, match=CEM) as refused:
        created(rollcall, origin, "Sales", ANN, CEM, "dan@example.com")
    assert refused.value.fields["emails"] == [CEM, "dan@example.com"]
    with pytest.raises(EmailsInvalid, match="nobody"):
        created(rollcall, origin, "Sales", ANN, "nobody")
    assert bearers(rollcall, origin, "Sales") == set()


def test_the_same_under_one_id_is_created_once(rollcall: Rollcall, origin: Origin) -> None:
    group = uuid4()
    for _ in range(2):
        assert create_group(rollcall, origin, group, "Sales", [ANN]).version == 1
    rename_group(rollcall, origin, group, "Europe")
    assert create_group(rollcall, origin, group, "Sales", [ANN]) == CommandResult(group, 2)
    for name, users in (("Sales", [BEN]), ("Europe", [ANN])):
        with pytest.raises(KeyReused):
            create_group(rollcall, origin, group, name, users)


def test_there_are_no_groups_without_a_subscription(rollcall: Rollcall) -> None:
    with pytest.raises(NotFound, match="no subscription"):
        created(rollcall, Origin(uuid4(), ANN_ACTOR, "test"))


def test_a_name_that_is_taken_meanwhile_is_refused(
    rollcall: Rollcall, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_next_append(rollcall, monkeypatch, lambda: created(rollcall, origin, "sales"))
    with pytest.raises(GroupNameTaken):
        created(rollcall, origin, "Sales")


# --- rename and delete ----------------------------------------------------------------------------------------------


def test_a_renamed_group_leaves_its_name_to_others(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales")
    assert rename_group(rollcall, origin, group, "Europe").version == 2
    assert happened(rollcall, group)[1] == GroupNameChanged("Sales", "Europe")
    assert created(rollcall, origin, "SALES") != group
    with pytest.raises(GroupNameTaken):
        rename_group(rollcall, origin, group, "sales")


def test_another_spelling_of_the_name_keeps_it(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales")
    rename_group(rollcall, origin, group, "SALES")
    assert happened(rollcall, group)[1] == GroupNameChanged("Sales", "SALES")
    assert bearers(rollcall, origin, "sales") == {group}


def test_the_name_that_a_group_bears_is_no_change(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales")
    assert rename_group(rollcall, origin, group, " Sales ") == CommandResult(group, 1)


def test_a_deleted_group_leaves_its_name_and_is_not_found(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales", ANN)
    delete_group(rollcall, origin, group)
    assert happened(rollcall, group)[1] == GroupDeleted("Sales")
    assert bearers(rollcall, origin, "Sales") == set()
    assert created(rollcall, origin, "Sales") != group


def test_a_rename_beside_another_rename_releases_the_name_that_the_group_bears_then(
    rollcall: Rollcall, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = created(rollcall, origin, "Sales")
    before_the_next_append(rollcall, monkeypatch, lambda: rename_group(rollcall, origin, group, "Europe"))
    rename_group(rollcall, origin, group, "Asia")
    assert happened(rollcall, group)[1:] == [GroupNameChanged("Sales", "Europe"), GroupNameChanged("Europe", "Asia")]
    assert bearers(rollcall, origin, "Sales", "Europe", "Asia") == {group}
    assert bearers(rollcall, origin, "Sales", "Europe") == set()


def test_two_who_rename_to_the_same_both_succeed(
    rollcall: Rollcall, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = created(rollcall, origin, "Sales")
    before_the_next_append(rollcall, monkeypatch, lambda: rename_group(rollcall, origin, group, "Europe"))
    assert rename_group(rollcall, origin, group, "Europe") == CommandResult(group, 2)


# --- users ----------------------------------------------------------------------------------------------------------


def test_a_name_that_somebody_else_changed_meanwhile_is_neither_overwritten_nor_deleted(
    rollcall: Rollcall, origin: Origin
) -> None:
    group = created(rollcall, origin, "Sales")
    rename_group(rollcall, origin, group, "Europe", "Sales")
    with pytest.raises(GroupRenamedMeanwhile, match="from “Sales” to “Europe”"):
        rename_group(rollcall, origin, group, "Asia", "Sales")
    with pytest.raises(GroupRenamedMeanwhile, match="from “Sales” to “Europe”"):
        delete_group(rollcall, origin, group, "Sales")
    assert rename_group(rollcall, origin, group, "Europe", "Sales") == CommandResult(group, 2)


def test_users_are_added_and_those_who_are_there_are_told(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales", ANN)
    joined = add_users(rollcall, origin, group, [BEN, "ANN@example.com"])
    assert (joined.added, joined.already_there) == ((BEN,), (ANN,))
    assert happened(rollcall, group)[1:] == [UsersAddedToGroup((BEN,))]
    assert add_users(rollcall, origin, group, [BEN, ANN]) == Joined((), (BEN, ANN))


def test_one_who_cannot_be_added_leaves_the_group_as_it_is(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales", ANN)
    with pytest.raises(NotLicensed, match=CEM):
        add_users(rollcall, origin, group, [BEN, CEM])
    with pytest.raises(EmailsInvalid):
        add_users(rollcall, origin, group, [BEN, "nobody"])
    assert len(happened(rollcall, group)) == 1


@pytest.mark.parametrize("how", ["create", "add"])
def test_whoever_loses_the_licence_meanwhile_is_not_added(
    rollcall: Rollcall, origin: Origin, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    group = created(rollcall, origin, "Sales")
    joins: dict[str, Callable[[], object]] = {
        "create": lambda: created(rollcall, origin, "Europe", ANN, BEN),
        "add": lambda: add_users(rollcall, origin, group, [ANN, BEN]),
    }
    before_the_next_append(rollcall, monkeypatch, lambda: revoke_licences(rollcall, origin, [BEN]))
    with pytest.raises(NotLicensed, match=BEN):
        joins[how]()
    assert len(happened(rollcall, group)) == 1
    assert bearers(rollcall, origin, "Europe") == set()


def test_users_are_added_once_under_one_key(rollcall: Rollcall, origin: Origin) -> None:
    group, asked = created(rollcall, origin, "Sales", ANN), uuid4()
    assert add_users(rollcall, origin, group, [BEN], RequestKey("key", asked)).added == (BEN,)
    remove_users(rollcall, origin, group, [BEN])
    assert add_users(rollcall, origin, group, [BEN], RequestKey("key", asked)) == Joined((), ())
    with pytest.raises(KeyReused):
        add_users(rollcall, origin, group, [ANN], RequestKey("key", uuid4()))


def test_users_are_removed_and_strangers_passed_over(rollcall: Rollcall, origin: Origin) -> None:
    group = created(rollcall, origin, "Sales", ANN, BEN)
    assert remove_users(rollcall, origin, group, [BEN, CEM]).version == 2
    assert happened(rollcall, group)[1:] == [UsersRemovedFromGroup((BEN,))]
    assert remove_users(rollcall, origin, group, [BEN, CEM]) == CommandResult(group, 2)


def test_a_group_that_is_missing_foreign_or_deleted_is_answered_alike(rollcall: Rollcall, origin: Origin) -> None:
    foreign = created(rollcall, subscribed(rollcall, ANN), "Sales", ANN)
    deleted = created(rollcall, origin, "Sales", ANN)
    delete_group(rollcall, origin, deleted)
    for group in (uuid4(), foreign, deleted, origin.subscription_id):
        for ask in (
            lambda each: rename_group(rollcall, origin, each, "Europe"),
            lambda each: delete_group(rollcall, origin, each),
            lambda each: add_users(rollcall, origin, each, [ANN]),
            lambda each: remove_users(rollcall, origin, each, [ANN]),
        ):
            with pytest.raises(NotFound, match=f"There is no group {group}"):
                ask(group)
