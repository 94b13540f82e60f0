from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.composition import composed
from adapters.settings import read_settings
from application import decisions
from application.decisions import RequestKey
from application.grouping import add_users, create_group, delete_group, remove_users
from application.licensing import (
    Allocated,
    Revoked,
    allocate_licences,
    change_subscription,
    create_subscription,
    revoke_licences,
)
from application.records import Origin
from domain import group, subscription
from domain.errors import KeyReused, NotFound, SeatsExceeded, SeatsInUse
from domain.group import Group, GroupCreated, UsersRemovedFromGroup
from domain.subscription import (
    LicenceRevoked,
    SeatsChanged,
    SeatsReturned,
    SubscriptionRenamed,
    User,
    licence_id,
)
from projections.directory import read as directory
from tests.conftest import ANN, subscribed, without_turns, working
from tests.waiting import GENEROUS_SECONDS, Running, at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.records import Event

pytestmark = pytest.mark.database


def test_a_licence_can_be_read_once_it_was_allocated(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=3)
    done = allocate_licences(rollcall, origin, [User("ann@example.com"), User("ben@example.com")])
    assert (done.allocated, done.already_allocated, done.readable) == (2, 0, True)
    with rollcall.views() as cursor:
        (row,) = directory.subscriptions(cursor)
        assert (row.name, row.seats, row.seats_taken, row.seats_free) == ("Contoso", 3, 2, 1)
        assert directory.unlicensed_emails(cursor, row.id, ["ann@example.com", "cem@example.com"]) == {
            "cem@example.com"
        }


def test_whoever_holds_a_licence_takes_no_second_seat(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, "ann@example.com", seats=2)
    users = [User("ann@example.com"), User("ben@example.com"), User("ben@example.com")]
    done = allocate_licences(rollcall, origin, users)
    assert (done.allocated, done.already_allocated) == (1, 1)
    done = allocate_licences(rollcall, origin, users)
    assert (done.allocated, done.already_allocated) == (0, 2)


def test_too_few_seats_allocate_to_nobody(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=1)
    with pytest.raises(SeatsExceeded):
        allocate_licences(rollcall, origin, [User("ann@example.com"), User("ben@example.com")])
    assert rollcall.events.held(origin.subscription_id, "licence", ["ann@example.com"]) == {}


def test_a_subscription_that_is_not_there_licenses_nobody(rollcall: Rollcall) -> None:
    with pytest.raises(NotFound):
        allocate_licences(rollcall, Origin(uuid4(), ANN, "test"), [User("ann@example.com")])


def test_seats_are_not_oversold_by_many_at_once(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=10)

    def take(number: int) -> bool:
        try:
            allocate_licences(rollcall, origin, [User(f"u{number}@example.com")])
        except SeatsExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 10
    assert seats_of(rollcall, origin) == (10, 10)


@pytest.mark.parametrize("fenced", ["by turns and by claims", "by claims alone"])
def test_sixteen_who_change_seats_without_a_pause_oversell_none_and_none_gives_up(
    idle: Rollcall, compose: Callable[[], Rollcall], monkeypatch: pytest.MonkeyPatch, fenced: str
) -> None:
    """Threads of two processes allocate, revoke and change the number of seats; nobody waits for the views."""
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
    both = [idle, compose()]
    if fenced == "by claims alone":
        both = [without_turns(each) for each in both]
        monkeypatch.setattr(decisions, "ATTEMPTS", 100_000)
    origin = subscribed(idle, seats=12)
    addresses = [[f"u{number}-{each}@example.com" for each in range(2)] for number in range(16)]

    def act(number: int) -> None:
        ports = both[number % 2]
        for time in range(15):
            with suppress(SeatsExceeded):
                allocate_licences(ports, origin, map(User, addresses[number]))
            if number % 8:
                revoke_licences(ports, origin, addresses[number][time % 2 :])
            else:
                with suppress(SeatsInUse):
                    change_subscription(ports, origin, seats=8 + time % 7)

    at_once(*(partial(act, number) for number in range(16)))
    state = None
    for record in idle.events.history(origin.subscription_id):
        state = subscription.evolve(state, record.event)  # type: ignore[arg-type]  # the stream has no others
        assert 0 <= state.taken <= state.seats
    held = idle.events.held(origin.subscription_id, "licence", chain.from_iterable(addresses))
    assert seats_of(idle, origin)[1] == len(held)


def test_a_crowd_that_waits_for_its_turn_leaves_the_connections_to_who_has_it(database: str) -> None:
    """Four connections, sixteen threads: each needs several to decide, and none waits for one of those who wait."""
    settings = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_POOL_SIZE": "4"})
    with composed(settings) as rollcall, working(rollcall):
        origins = [subscribed(rollcall, seats=100) for _ in range(2)]

        def allocate(number: int) -> None:
            for each in range(5):
                user = User(f"u{number}-{each}@example.com")
                assert allocate_licences(rollcall, origins[number % 2], [user]).allocated == 1

        at_once(*(partial(allocate, number) for number in range(16)))
        assert [seats_of(rollcall, origin) for origin in origins] == [(100, 40), (100, 40)]


def test_others_have_their_turn_while_one_waits_for_the_views(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is there, so that no view ever tells of it."""
    origin = subscribed(idle, seats=2)
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 2 * GENEROUS_SECONDS)
    waiting = Running(lambda: allocate_licences(idle, origin, [User(ANN_)]))
    eventually(lambda: seats_of(idle, origin) == (2, 1))
    Running(lambda: allocate_licences(idle, origin, [])).result()
    assert waiting.is_alive()
    with working(idle):
        assert waiting.result().readable


def test_two_subscriptions_may_bear_one_name(rollcall: Rollcall) -> None:
    for _ in range(2):
        create_subscription(rollcall, Origin(uuid4(), ANN, "test"), "Contoso", 1)
    with rollcall.views() as cursor:
        assert len(directory.subscriptions(cursor, name_or_id="Contoso")) == 2


def test_a_request_under_the_same_key_is_done_once(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=10)
    asked = uuid4()
    ann, ben = User("ann@example.com"), User("ben@example.com")
    assert allocate_licences(rollcall, origin, [ann], RequestKey("key", asked)).allocated == 1
    assert allocate_licences(rollcall, origin, [ann], RequestKey("key", asked)) == Allocated(0, 1, repeated=True)
    with pytest.raises(KeyReused):
        allocate_licences(rollcall, origin, [ben], RequestKey("key", uuid4()))
    assert allocate_licences(rollcall, origin, [ann], RequestKey("nothing", asked)).allocated == 0
    with pytest.raises(KeyReused):
        allocate_licences(rollcall, origin, [ben], RequestKey("nothing", uuid4()))


# --- change and revoke ----------------------------------------------------------------------------------------------

ANN_, BEN_ = "ann@example.com", "ben@example.com"


def seats_of(rollcall: Rollcall, origin: Origin) -> tuple[int, int]:
    stream = rollcall.events.load(origin.subscription_id, subscription.evolve)
    assert stream is not None
    return stream.state.seats, stream.state.taken


def members_of(rollcall: Rollcall, group_id: UUID) -> frozenset[str]:
    stream = rollcall.events.load(group_id, group.evolve)
    assert stream is not None
    assert isinstance(stream.state, Group)
    return stream.state.users


def appended(rollcall: Rollcall, after: int) -> list[Event]:
    return [record.event for record in rollcall.events.read_log(after, 100)]


def test_a_name_and_seats_change_together_or_not_at_all(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, ANN_, BEN_, seats=5)
    before = rollcall.events.head()
    with pytest.raises(SeatsInUse):
        change_subscription(rollcall, origin, "Fabrikam", 1)
    assert appended(rollcall, before) == []
    change_subscription(rollcall, origin, "Fabrikam", 2)
    assert appended(rollcall, before) == [SubscriptionRenamed("Contoso", "Fabrikam"), SeatsChanged(5, 2)]
    with rollcall.views() as cursor:
        (row,) = directory.subscriptions(cursor)
    assert (row.name, row.seats, row.seats_free) == ("Fabrikam", 2, 0)


def test_what_a_subscription_is_already_is_no_change(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=5)
    before = rollcall.events.head()
    assert change_subscription(rollcall, origin, "Contoso", 5).version == 1
    assert change_subscription(rollcall, origin).version == 1
    assert appended(rollcall, before) == []
    with pytest.raises(NotFound):
        change_subscription(rollcall, Origin(uuid4(), ANN, "test"), "Fabrikam")


def test_a_user_whose_licence_is_revoked_leaves_every_group_at_once(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, ANN_, BEN_, seats=2)
    other = subscribed(rollcall, ANN_)
    ids = [uuid4() for _ in range(5)]
    sales, both, bens, deleted, foreign = ids
    create_group(rollcall, origin, sales, "Sales", [ANN_])
    create_group(rollcall, origin, both, "Both", [BEN_])
    add_users(rollcall, origin, both, [ANN_])
    create_group(rollcall, origin, bens, "Ben's", [BEN_, ANN_])
    remove_users(rollcall, origin, bens, [ANN_])
    create_group(rollcall, origin, deleted, "Deleted", [ANN_])
    delete_group(rollcall, origin, deleted)
    create_group(rollcall, other, foreign, "Sales", [ANN_])
    before = rollcall.events.head()

    assert revoke_licences(rollcall, origin, [ANN_, ANN_, "nobody"]) == Revoked((ANN_,), readable=True)
    records = rollcall.events.read_log(before, 100)
    assert [each.event for each in records[:2]] == [SeatsReturned(1), LicenceRevoked(ANN_)]
    assert {each.originator_id: each.event for each in records[2:]} == dict.fromkeys(
        (sales, both), UsersRemovedFromGroup((ANN_,))
    )
    assert {each.origin for each in records} == {origin}
    assert members_of(rollcall, foreign) == {ANN_}
    with rollcall.views() as cursor:
        assert directory.unlicensed_emails(cursor, origin.subscription_id, [ANN_, BEN_]) == {ANN_}
        assert directory.user_emails(cursor, origin.subscription_id, both) == [BEN_]
        assert {row.name: row.users for row in directory.groups(cursor, origin.subscription_id)} == {
            "Sales": 0,
            "Both": 1,
            "Ben's": 1,
        }
        assert directory.subscriptions(cursor, name_or_id=str(origin.subscription_id))[0].seats_free == 1


def test_groups_that_no_view_shows_yet_are_left_too(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
    origin = subscribed(idle, ANN_)
    with working(idle):
        create_group(idle, origin, shown := uuid4(), "Shown", [ANN_])
        idle.health.catch_up()
    create_group(idle, origin, hidden := uuid4(), "Hidden", [ANN_])
    assert revoke_licences(idle, origin, [ANN_]) == Revoked((ANN_,), readable=False)
    assert members_of(idle, shown) == members_of(idle, hidden) == frozenset()


def test_revoking_a_licence_that_nobody_holds_changes_nothing(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, ANN_)
    before = rollcall.events.head()
    assert revoke_licences(rollcall, origin, [BEN_, "nonsense"]) == Revoked(())
    assert appended(rollcall, before) == []
    with pytest.raises(NotFound):
        revoke_licences(rollcall, Origin(uuid4(), ANN, "test"), [ANN_])


def test_whoever_comes_back_does_not_return_to_the_groups(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, ANN_, seats=1)
    create_group(rollcall, origin, sales := uuid4(), "Sales", [ANN_])
    revoke_licences(rollcall, origin, [ANN_])
    assert allocate_licences(rollcall, origin, [User(ANN_, "Ann", "Lee")]).allocated == 1
    assert members_of(rollcall, sales) == frozenset()
    assert len(rollcall.events.history(licence_id(origin.subscription_id, ANN_))) == 3
    assert seats_of(rollcall, origin) == (1, 1)
    with rollcall.views() as cursor:
        found = directory.find_licence(cursor, origin.subscription_id, ANN_)
    assert found is not None
    assert (found.first_name, found.last_name) == ("Ann", "Lee")


@pytest.mark.parametrize("how", ["created", "added"])
def test_a_group_that_is_joined_while_the_licence_is_revoked_is_left_too(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever adds users without having a turn, as a commit's batch does."""
    rollcall = without_turns(rollcall)
    origin = subscribed(rollcall, ANN_, BEN_)
    create_group(rollcall, origin, sales := uuid4(), "Sales", [BEN_])
    late = uuid4()
    group_ids_of = rollcall.memberships.group_ids_of

    def joining(subscription_id: UUID, emails: Iterable[str]) -> tuple[frozenset[UUID], int]:
        monkeypatch.undo()
        found = group_ids_of(subscription_id, emails)
        if how == "created":
            create_group(rollcall, origin, late, "Late", [ANN_])
        else:
            add_users(rollcall, origin, sales, [ANN_])
        return found

    monkeypatch.setattr(rollcall.memberships, "group_ids_of", joining)
    assert revoke_licences(rollcall, origin, [ANN_]).emails == (ANN_,)
    assert members_of(rollcall, late if how == "created" else sales) <= {BEN_}
    assert GroupCreated("Late", (ANN_,)) in appended(rollcall, 0) or how == "added"
