from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.grouping import add_users, create_group, delete_group, remove_users
from application.licensing import (
    AllocationResult,
    RevocationResult,
    SeatsUsed,
    allocate_licences,
    change_subscription,
    plan_allocation,
    revoke_licences,
)
from application.ports import RequestKey
from application.records import Origin
from domain import group, subscription
from domain.errors import KeyReused, NotFound, SeatsExceeded, SeatsInUse
from domain.forgetting import pseudonym
from domain.group import Group, GroupCreated, UsersRemovedFromGroup
from domain.subscription import (
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionRenamed,
    User,
)
from tests.conftest import ANN, subscribed, without_turns
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.memory.ports import MemoryPorts
    from application.memberships import GroupsJoined
    from application.records import Event


def test_a_licence_takes_a_seat(ports: MemoryPorts) -> None:
    origin = subscribed(ports, seats=3)
    result = allocate_licences(ports, origin, [User("ann@example.com"), User("ben@example.com")])
    assert (result.allocated, result.already_allocated, result.readable) == (2, 0, True)
    assert seats_of(ports, origin) == (3, 2)
    held = ports.events.held(origin.subscription_id, "licence", ["ann@example.com", "cem@example.com"])
    assert list(held) == ["ann@example.com"]


def test_a_forgotten_person_takes_no_seat(ports: MemoryPorts) -> None:
    """A review still has a pseudonym in their place, and offers licences to everybody in it who has none."""
    origin = subscribed(ports, seats=2)
    users = [User(pseudonym(b"somebody")), User("ann@example.com")]
    assert [each.email for each in plan_allocation(ports, origin, users).new] == ["ann@example.com"]
    assert allocate_licences(ports, origin, users).allocated == 1
    assert seats_of(ports, origin) == (2, 1)


def test_a_user_with_a_licence_takes_no_second_seat(ports: MemoryPorts) -> None:
    origin = subscribed(ports, "ann@example.com", seats=2)
    users = [User("ann@example.com"), User("ben@example.com"), User("ben@example.com")]
    done = allocate_licences(ports, origin, users)
    assert (done.allocated, done.already_allocated) == (1, 1)
    done = allocate_licences(ports, origin, users)
    assert (done.allocated, done.already_allocated) == (0, 2)


def test_if_there_are_too_few_seats_nobody_gets_one(ports: MemoryPorts) -> None:
    origin = subscribed(ports, seats=1)
    with pytest.raises(SeatsExceeded):
        allocate_licences(ports, origin, [User("ann@example.com"), User("ben@example.com")])
    assert ports.events.held(origin.subscription_id, "licence", ["ann@example.com"]) == {}


def test_a_licence_needs_a_subscription(ports: MemoryPorts) -> None:
    with pytest.raises(NotFound):
        allocate_licences(ports, Origin(uuid4(), ANN, "test"), [User("ann@example.com")])


def test_seats_are_not_oversold_by_many_at_once(ports: MemoryPorts) -> None:
    origin = subscribed(ports, seats=10)

    def take(number: int) -> bool:
        try:
            allocate_licences(ports, origin, [User(f"u{number}@example.com")])
        except SeatsExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 10
    assert seats_of(ports, origin) == (10, 10)


class Gate:
    """Views that show nothing until they are opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def wait(self, _position: int, _events: Iterable[type]) -> bool:
        return self.opened.wait(GENEROUS_SECONDS)


def test_others_have_their_turn_while_one_waits_for_the_views(ports: MemoryPorts) -> None:
    origin, gate = subscribed(ports, seats=2), Gate()
    waiting = Running(lambda: allocate_licences(replace(ports, readable=gate), origin, [User(ANN_)]))
    eventually(lambda: seats_of(ports, origin) == (2, 1))
    Running(lambda: allocate_licences(ports, origin, [User(BEN_)])).result()
    assert waiting.is_alive()
    gate.opened.set()
    assert waiting.result().readable


class NeverReadable:
    """Views that are too slow."""

    def wait(self, _position: int, _events: Iterable[type]) -> bool:
        return False


def test_a_command_says_if_the_views_do_not_show_its_effect_yet(ports: MemoryPorts) -> None:
    slow = replace(ports, readable=NeverReadable())
    origin = subscribed(slow, ANN_)
    assert not create_group(slow, origin, uuid4(), "Sales", [ANN_]).readable
    assert revoke_licences(slow, origin, [ANN_]) == RevocationResult((ANN_,), readable=False)
    assert revoke_licences(slow, origin, [ANN_]) == RevocationResult((), readable=False), "it may not be visible yet"


def test_a_request_that_is_repeated_is_carried_out_once(ports: MemoryPorts) -> None:
    origin = subscribed(ports, seats=10)
    request, empty_request = RequestKey("key", uuid4()), RequestKey("nothing", uuid4())
    ann, ben = User("ann@example.com"), User("ben@example.com")
    assert allocate_licences(ports, origin, [ann], request).allocated == 1
    assert allocate_licences(ports, origin, [ann], request) == AllocationResult(
        0, 1, SeatsUsed(10, 1, 1, 0), repeated=True
    )
    with pytest.raises(KeyReused):
        allocate_licences(ports, origin, [ben], RequestKey("key", uuid4()))
    assert allocate_licences(ports, origin, [ann], empty_request).allocated == 0
    with pytest.raises(KeyReused):
        allocate_licences(ports, origin, [ben], RequestKey("nothing", uuid4()))


# --- change and revoke ----------------------------------------------------------------------------------------------

ANN_, BEN_ = "ann@example.com", "ben@example.com"


def seats_of(ports: MemoryPorts, origin: Origin) -> tuple[int, int]:
    stream = ports.events.load(origin.subscription_id, subscription.fold)
    assert stream is not None
    return stream.state.seats, stream.state.taken


def members_of(ports: MemoryPorts, group_id: UUID) -> frozenset[str]:
    stream = ports.events.load(group_id, group.fold)
    assert stream is not None
    assert isinstance(stream.state, Group)
    return stream.state.users


def appended(ports: MemoryPorts, after: int) -> list[Event]:
    return [record.event for record in ports.events.read_log(after, 100)]


def test_name_and_seats_change_together_or_not_at_all(ports: MemoryPorts) -> None:
    origin = subscribed(ports, ANN_, BEN_, seats=5)
    before = ports.events.head()
    with pytest.raises(SeatsInUse):
        change_subscription(ports, origin, "Fabrikam", 1)
    assert appended(ports, before) == []
    change_subscription(ports, origin, "Fabrikam", 2)
    assert appended(ports, before) == [SubscriptionRenamed("Contoso", "Fabrikam"), SeatsChanged(5, 2)]


def test_the_name_and_seats_that_a_subscription_has_are_no_change(ports: MemoryPorts) -> None:
    origin = subscribed(ports, seats=5)
    before = ports.events.head()
    assert change_subscription(ports, origin, "Contoso", 5).version == 1
    assert change_subscription(ports, origin).version == 1
    assert appended(ports, before) == []
    with pytest.raises(NotFound):
        change_subscription(ports, Origin(uuid4(), ANN, "test"), "Fabrikam")


def test_revoking_a_licence_removes_the_user_from_every_group_at_once(ports: MemoryPorts) -> None:
    origin = subscribed(ports, ANN_, BEN_, seats=2)
    other = subscribed(ports, ANN_)
    ids = [uuid4() for _ in range(5)]
    sales, both, bens, deleted, foreign = ids
    create_group(ports, origin, sales, "Sales", [ANN_])
    create_group(ports, origin, both, "Both", [BEN_])
    add_users(ports, origin, both, [ANN_])
    create_group(ports, origin, bens, "Ben's", [BEN_, ANN_])
    remove_users(ports, origin, bens, [ANN_])
    create_group(ports, origin, deleted, "Deleted", [ANN_])
    delete_group(ports, origin, deleted)
    create_group(ports, other, foreign, "Sales", [ANN_])
    before = ports.events.head()

    assert revoke_licences(ports, origin, [ANN_, ANN_, "nobody"]) == RevocationResult((ANN_,), readable=True)
    records = ports.events.read_log(before, 100)
    assert records[0].event == LicencesRevoked((ANN_,))
    assert {each.originator_id: each.event for each in records[1:]} == dict.fromkeys(
        (sales, both), UsersRemovedFromGroup((ANN_,))
    )
    assert {each.origin for each in records} == {origin}
    assert members_of(ports, foreign) == {ANN_}
    assert members_of(ports, both) == members_of(ports, bens) == {BEN_}
    assert list(ports.events.held(origin.subscription_id, "licence", [ANN_, BEN_])) == [BEN_]
    assert seats_of(ports, origin) == (2, 1)


def test_revoking_the_licence_of_a_user_who_has_none_changes_nothing(ports: MemoryPorts) -> None:
    origin = subscribed(ports, ANN_)
    before = ports.events.head()
    assert revoke_licences(ports, origin, [BEN_, "nonsense"]) == RevocationResult(())
    assert appended(ports, before) == []
    with pytest.raises(NotFound):
        revoke_licences(ports, Origin(uuid4(), ANN, "test"), [ANN_])


def test_a_user_who_gets_a_new_licence_does_not_return_to_the_groups(ports: MemoryPorts) -> None:
    origin = subscribed(ports, ANN_, seats=1)
    create_group(ports, origin, sales := uuid4(), "Sales", [ANN_])
    revoke_licences(ports, origin, [ANN_])
    assert allocate_licences(ports, origin, [User(ANN_, "Ann", "Lee")]).allocated == 1
    assert members_of(ports, sales) == frozenset()
    assert seats_of(ports, origin) == (1, 1)
    (*_, allocated) = ports.events.history(origin.subscription_id)
    assert allocated.event == LicencesAllocated((User(ANN_, "Ann", "Lee"),))


@pytest.mark.parametrize("how", ["created", "added"])
def test_a_user_leaves_a_group_even_if_they_join_it_while_their_licence_is_revoked(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Users may be added without a turn to decide, as a commit's batch does."""
    ports = without_turns(ports)
    origin = subscribed(ports, ANN_, BEN_)
    create_group(ports, origin, sales := uuid4(), "Sales", [BEN_])
    late = uuid4()
    groups_of = ports.memberships.groups_of

    def joining(subscription_id: UUID, emails: Iterable[str]) -> tuple[GroupsJoined, int]:
        monkeypatch.undo()
        found = groups_of(subscription_id, emails)
        if how == "created":
            create_group(ports, origin, late, "Late", [ANN_])
        else:
            add_users(ports, origin, sales, [ANN_])
        return found

    monkeypatch.setattr(ports.memberships, "groups_of", joining)
    assert revoke_licences(ports, origin, [ANN_]).emails == (ANN_,)
    assert members_of(ports, late if how == "created" else sales) <= {BEN_}
    assert GroupCreated("Late", (ANN_,)) in appended(ports, 0) or how == "added"
