"""Groups changed by hand: their users, their names, and what happens if others are faster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from adapters.memory.ports import MemoryPorts, memory_ports
from application.grouping import JoinResult, add_users, create_group, delete_group, remove_users, rename_group
from application.licensing import revoke_licences
from application.ports import RequestKey
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
from tests.application.interference import before_the_next_append
from tests.conftest import ANN as ANN_ACTOR
from tests.conftest import subscribed, without_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.decisions import CommandResult
    from application.records import Event

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"


@pytest.fixture
def ports() -> MemoryPorts:
    """Return ports without turns to decide: in some tests others change things between a decision and its append."""
    return without_turns(memory_ports())


@pytest.fixture
def origin(ports: MemoryPorts) -> Origin:
    """Return an administrator's origin in a subscription where Ann and Ben have a licence."""
    return subscribed(ports, ANN, BEN)


def created(ports: MemoryPorts, origin: Origin, name: str = "Sales", *users: str) -> UUID:
    return create_group(ports, origin, uuid4(), name, users).id


def happened(ports: MemoryPorts, group: UUID) -> list[Event]:
    return [record.event for record in ports.events.history(group)]


def group_ids(ports: MemoryPorts, origin: Origin, *names: str) -> set[UUID]:
    return set(ports.events.held(origin.subscription_id, "group-name", map(group_key, names)).values())


# --- create ---------------------------------------------------------------------------------------------------------


def test_a_group_is_created_with_its_users(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "  Sales   Europe ", "Ann@Example.com", BEN, ANN)
    assert happened(ports, group) == [GroupCreated("Sales Europe", (ANN, BEN))]
    assert ports.events.history(group)[0].origin == origin


def test_only_one_group_has_a_name_however_it_is_spelled(ports: MemoryPorts, origin: Origin) -> None:
    created(ports, origin, "Straße")
    with pytest.raises(GroupNameTaken, match="“STRASSE”"):
        created(ports, origin, "STRASSE")
    created(ports, subscribed(ports), "Straße")


def test_private_domains_are_accepted_where_they_are_allowed(ports: MemoryPorts) -> None:
    origin = subscribed(ports, "ann@corp.local")
    with pytest.raises(EmailsInvalid, match=r"ann@corp\.local"):
        created(ports, origin, "Sales", "ann@corp.local")
    group = created(replace(ports, private_domains=("local",)), origin, "Sales", "Ann@Corp.local")
    assert happened(ports, group) == [GroupCreated("Sales", ("ann@corp.local",))]


def test_a_name_is_refused_as_imports_refuse_it(ports: MemoryPorts, origin: Origin) -> None:
    for name in ("", "a\x00b", "x" * 256, "\u200b"):
        with pytest.raises(GroupNameInvalid):
            created(ports, origin, name)


def test_if_one_user_cannot_be_added_nobody_is_and_all_such_users_are_named(ports: MemoryPorts, origin: Origin) -> None:
    with pytest.raises(NotLicensed, match=CEM) as refused:
        created(ports, origin, "Sales", ANN, CEM, "dan@example.com")
    assert refused.value.fields["emails"] == [CEM, "dan@example.com"]
    with pytest.raises(EmailsInvalid, match="nobody"):
        created(ports, origin, "Sales", ANN, "nobody")
    assert group_ids(ports, origin, "Sales") == set()


def test_repeating_a_creation_under_its_id_changes_nothing(ports: MemoryPorts, origin: Origin) -> None:
    group = uuid4()
    for _ in range(2):
        assert create_group(ports, origin, group, "Sales", [ANN]).version == 1
    rename_group(ports, origin, group, "Europe")
    assert unchanged(create_group(ports, origin, group, "Sales", [ANN]), 2)
    for name, users in (("Sales", [BEN]), ("Europe", [ANN])):
        with pytest.raises(KeyReused):
            create_group(ports, origin, group, name, users)


def test_a_group_needs_a_subscription(ports: MemoryPorts) -> None:
    with pytest.raises(NotFound, match="no subscription"):
        created(ports, Origin(uuid4(), ANN_ACTOR, "test"))


def test_a_name_that_is_taken_in_between_is_refused(
    ports: MemoryPorts, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_next_append(ports, monkeypatch, lambda: created(ports, origin, "sales"))
    with pytest.raises(GroupNameTaken):
        created(ports, origin, "Sales")


def unchanged(result: CommandResult, version: int) -> bool:
    return (result.version, result.changed) == (version, False)


# --- rename and delete ----------------------------------------------------------------------------------------------


def test_renaming_a_group_frees_its_old_name(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales")
    assert rename_group(ports, origin, group, "Europe").version == 2
    assert happened(ports, group)[1] == GroupNameChanged("Sales", "Europe")
    assert created(ports, origin, "SALES") != group
    with pytest.raises(GroupNameTaken):
        rename_group(ports, origin, group, "sales")


def test_another_spelling_of_the_name_keeps_it(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales")
    rename_group(ports, origin, group, "SALES")
    assert happened(ports, group)[1] == GroupNameChanged("Sales", "SALES")
    assert group_ids(ports, origin, "sales") == {group}


def test_the_name_that_a_group_has_is_no_change(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales")
    assert unchanged(rename_group(ports, origin, group, " Sales "), 1)


def test_deleting_a_group_frees_its_name(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales", ANN)
    delete_group(ports, origin, group)
    assert happened(ports, group)[1] == GroupDeleted("Sales")
    assert group_ids(ports, origin, "Sales") == set()
    assert created(ports, origin, "Sales") != group


def test_a_rename_after_another_one_in_between_frees_the_name_that_the_group_has_by_then(
    ports: MemoryPorts, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = created(ports, origin, "Sales")
    before_the_next_append(ports, monkeypatch, lambda: rename_group(ports, origin, group, "Europe"))
    rename_group(ports, origin, group, "Asia")
    assert happened(ports, group)[1:] == [GroupNameChanged("Sales", "Europe"), GroupNameChanged("Europe", "Asia")]
    assert group_ids(ports, origin, "Sales", "Europe", "Asia") == {group}
    assert group_ids(ports, origin, "Sales", "Europe") == set()


def test_two_renames_to_the_same_name_both_succeed(
    ports: MemoryPorts, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = created(ports, origin, "Sales")
    before_the_next_append(ports, monkeypatch, lambda: rename_group(ports, origin, group, "Europe"))
    assert unchanged(rename_group(ports, origin, group, "Europe"), 2)


def test_a_group_that_was_renamed_since_it_was_seen_is_neither_renamed_nor_deleted(
    ports: MemoryPorts, origin: Origin
) -> None:
    group = created(ports, origin, "Sales")
    rename_group(ports, origin, group, "Europe", "Sales")
    with pytest.raises(GroupRenamedMeanwhile, match="from “Sales” to “Europe”"):
        rename_group(ports, origin, group, "Asia", "Sales")
    with pytest.raises(GroupRenamedMeanwhile, match="from “Sales” to “Europe”"):
        delete_group(ports, origin, group, "Sales")
    assert unchanged(rename_group(ports, origin, group, "Europe", "Sales"), 2)


# --- users ----------------------------------------------------------------------------------------------------------


def test_users_are_added_and_those_who_were_there_are_reported(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales", ANN)
    joined = add_users(ports, origin, group, [BEN, "ANN@example.com"])
    assert (joined.added, joined.already_there) == ((BEN,), (ANN,))
    assert happened(ports, group)[1:] == [UsersAddedToGroup((BEN,))]
    assert add_users(ports, origin, group, [BEN, ANN]) == JoinResult((), (BEN, ANN))


def test_if_one_user_cannot_be_added_the_group_stays_as_it_is(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales", ANN)
    with pytest.raises(NotLicensed, match=CEM):
        add_users(ports, origin, group, [BEN, CEM])
    with pytest.raises(EmailsInvalid):
        add_users(ports, origin, group, [BEN, "nobody"])
    assert len(happened(ports, group)) == 1


@pytest.mark.parametrize("how", ["create", "add"])
def test_a_user_whose_licence_is_revoked_in_between_is_not_added(
    ports: MemoryPorts, origin: Origin, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    group = created(ports, origin, "Sales")
    joins: dict[str, Callable[[], object]] = {
        "create": lambda: created(ports, origin, "Europe", ANN, BEN),
        "add": lambda: add_users(ports, origin, group, [ANN, BEN]),
    }
    before_the_next_append(ports, monkeypatch, lambda: revoke_licences(ports, origin, [BEN]))
    with pytest.raises(NotLicensed, match=BEN):
        joins[how]()
    assert len(happened(ports, group)) == 1
    assert group_ids(ports, origin, "Europe") == set()


def test_a_request_that_is_repeated_adds_its_users_once(ports: MemoryPorts, origin: Origin) -> None:
    group, request = created(ports, origin, "Sales", ANN), RequestKey("key", uuid4())
    assert add_users(ports, origin, group, [BEN], request).added == (BEN,)
    remove_users(ports, origin, group, [BEN])
    assert add_users(ports, origin, group, [BEN], request) == JoinResult((), ())
    with pytest.raises(KeyReused):
        add_users(ports, origin, group, [ANN], RequestKey("key", uuid4()))


def test_users_are_removed_and_those_not_in_the_group_are_ignored(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales", ANN, BEN)
    assert remove_users(ports, origin, group, [BEN, CEM]).version == 2
    assert happened(ports, group)[1:] == [UsersRemovedFromGroup((BEN,))]
    assert unchanged(remove_users(ports, origin, group, [BEN, CEM]), 2)


def test_a_deleted_group_is_deleted_again_without_an_event(ports: MemoryPorts, origin: Origin) -> None:
    group = created(ports, origin, "Sales", ANN)
    assert delete_group(ports, origin, group, "Sales").version == 2
    assert created(ports, origin, "Sales", BEN) != group
    assert unchanged(delete_group(ports, origin, group, "Sales"), 2)


def test_a_group_that_is_missing_foreign_or_deleted_is_answered_alike(ports: MemoryPorts, origin: Origin) -> None:
    foreign = created(ports, subscribed(ports, ANN), "Sales", ANN)
    deleted = created(ports, origin, "Sales", ANN)
    delete_group(ports, origin, deleted)
    for group in (uuid4(), foreign, deleted, origin.subscription_id):
        for ask in (
            lambda each: rename_group(ports, origin, each, "Europe"),
            lambda each: add_users(ports, origin, each, [ANN]),
            lambda each: remove_users(ports, origin, each, [ANN]),
        ):
            with pytest.raises(NotFound, match=f"There is no group {group}"):
                ask(group)


def test_a_group_that_is_missing_or_foreign_is_not_deleted(ports: MemoryPorts, origin: Origin) -> None:
    other = subscribed(ports, ANN)
    foreign, deleted = created(ports, other, "Sales", ANN), created(ports, other, "Support", ANN)
    delete_group(ports, other, deleted)
    for group in (uuid4(), foreign, deleted, origin.subscription_id):
        with pytest.raises(NotFound, match=f"There is no group {group}"):
            delete_group(ports, origin, group)
    assert group_ids(ports, other, "Sales") == {foreign}
