"""The rules that span streams: a key belongs to one stream of its subscription, which an append can rely on."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from hashlib import sha512
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from application.ports import Absence, Claim, Claims, Conflict
from application.records import Actor, Origin, Record
from domain.group import GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.subscription import LicenceRevoked, licence_id
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from adapters.postgres.event_store import PostgresEventStore
    from domain.group import GroupEvent

pytestmark = pytest.mark.database

SUBSCRIPTION = uuid4()
ONE, OTHER = uuid4(), uuid4()


@pytest.fixture
def store(idle: Rollcall) -> PostgresEventStore:
    return idle.events


def name(key: str, stream: UUID) -> Claim:
    return Claim("group-name", key, stream)


def licence(email: str) -> Claim:
    return Claim("licence", email, licence_id(SUBSCRIPTION, email))


def append(store: PostgresEventStore, claims: Claims, subscription: UUID = SUBSCRIPTION) -> UUID:
    """Append one event to a stream of its own, and return the stream."""
    stream, origin = uuid4(), Origin(subscription, Actor("system", "test", "Test"), "test")
    store.append(subscription, [Record(stream, 1, datetime.now(UTC), origin, LicenceRevoked("x"))], claims)
    return stream


def holders(store: PostgresEventStore, *keys: str, subscription: UUID = SUBSCRIPTION) -> dict[str, UUID]:
    return store.held(subscription, "group-name", keys)


def test_a_key_that_is_taken_is_held_by_its_stream(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    assert holders(store, "sales", "marketing") == {"sales": ONE}
    assert holders(store) == {}


@pytest.mark.parametrize("stream", [ONE, OTHER])
def test_a_key_cannot_be_taken_twice(store: PostgresEventStore, stream: UUID) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        append(store, Claims(taken=(name("sales", stream),)))
    assert holders(store, "sales") == {"sales": ONE}


def test_a_key_cannot_be_taken_twice_by_one_append(store: PostgresEventStore) -> None:
    with pytest.raises(Conflict):
        append(store, Claims(taken=(name("sales", ONE), name("sales", OTHER))))
    assert holders(store, "sales") == {}


def test_of_many_who_take_a_key_at_once_one_succeeds(compose: Callable[[], Rollcall]) -> None:
    stores = [compose().events, compose().events]

    def attempt(store: PostgresEventStore, key: str) -> bool:
        try:
            append(store, Claims(taken=(name(key, uuid4()),)))
        except Conflict:
            return False
        return True

    for key in map(str, range(50)):
        attempts = [Running(partial(attempt, store, key)) for store in stores]
        assert sorted(each.result() for each in attempts) == [False, True]


def test_a_key_may_change_hands_within_one_append(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    append(store, Claims(released=(name("sales", ONE),), taken=(name("sales", OTHER),)))
    assert holders(store, "sales") == {"sales": OTHER}


def test_a_key_that_is_released_is_free(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    append(store, Claims(released=(name("sales", ONE),)))
    assert holders(store, "sales") == {}


def test_nobody_releases_what_another_holds(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    append(store, Claims(released=(name("sales", OTHER),)))
    assert holders(store, "sales") == {"sales": ONE}


def test_what_is_held_can_be_relied_on(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE), Claim("licence", "sales", OTHER))))
    append(store, Claims(relied_on=(name("sales", ONE), Claim("licence", "sales", OTHER))))


def test_what_is_taken_by_the_same_append_can_be_relied_on(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE),), relied_on=(name("sales", ONE),)))


@pytest.mark.parametrize(
    "relied_on",
    [name("marketing", ONE), name("sales", OTHER), Claim("licence", "sales", ONE)],
    ids=["held by nobody", "held by another", "of another kind"],
)
def test_relying_on_what_does_not_hold_conflicts(store: PostgresEventStore, relied_on: Claim) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        append(store, Claims(relied_on=(name("sales", ONE), relied_on)))


def test_relying_on_what_the_same_append_releases_conflicts(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        append(store, Claims(released=(name("sales", ONE),), relied_on=(name("sales", ONE),)))
    assert holders(store, "sales") == {"sales": ONE}


def test_licences_can_be_relied_on_by_address_alone(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(licence("ann@example.com"), licence("ben@example.com"))))
    append(store, Claims(licensed=frozenset({"ann@example.com", "ben@example.com"})))


def test_relying_on_a_licence_that_was_revoked_conflicts(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(licence("ann@example.com"), licence("ben@example.com"))))
    append(store, Claims(released=(licence("ben@example.com"),)))
    with pytest.raises(Conflict):
        append(store, Claims(licensed=frozenset({"ann@example.com", "ben@example.com"})))


def test_a_licence_of_another_subscription_is_none(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(licence("ann@example.com"), name("ben@example.com", ONE))))
    for address, subscription in (("ann@example.com", uuid4()), ("ben@example.com", SUBSCRIPTION)):
        with pytest.raises(Conflict):
            append(store, Claims(licensed=frozenset({address})), subscription)


def test_a_conflict_writes_nothing_at_all(store: PostgresEventStore) -> None:
    append(store, Claims(taken=(name("sales", ONE), name("support", ONE))))
    head = store.head()
    with pytest.raises(Conflict):
        append(
            store,
            Claims(
                released=(name("support", ONE),),
                taken=(name("marketing", OTHER),),
                relied_on=(name("sales", OTHER),),
            ),
        )
    assert store.head() == head
    assert holders(store, "sales", "support", "marketing") == {"sales": ONE, "support": ONE}


def test_a_version_conflict_takes_no_key(store: PostgresEventStore) -> None:
    stream = append(store, Claims())
    origin = Origin(SUBSCRIPTION, Actor("system", "test", "Test"), "test")
    record = Record(stream, 1, datetime.now(UTC), origin, LicenceRevoked("x"))
    with pytest.raises(Conflict):
        store.append(SUBSCRIPTION, [record], Claims(taken=(name("sales", ONE),)))
    assert holders(store, "sales") == {}


def test_the_claims_of_one_subscription_do_not_touch_anothers(store: PostgresEventStore) -> None:
    foreign = uuid4()
    append(store, Claims(taken=(name("sales", ONE),)))
    append(store, Claims(taken=(name("sales", OTHER),)), foreign)
    append(store, Claims(released=(name("sales", OTHER),)))
    with pytest.raises(Conflict):
        append(store, Claims(relied_on=(name("sales", ONE),)), foreign)
    append(store, Claims(released=(name("sales", ONE),)))
    assert holders(store, "sales") == {}
    assert holders(store, "sales", subscription=foreign) == {"sales": OTHER}


@pytest.mark.parametrize(
    "key",
    [group_key("\ufdfa" * 255), "".join(sha512(bytes([n])).hexdigest() for n in range(70))],
    ids=["of 255 characters that stand for eighteen each", "that cannot be compressed"],
)
def test_a_key_longer_than_an_index_can_hold_is_as_unique_as_any(store: PostgresEventStore, key: str) -> None:
    """An entry of a B-tree has 2,704 bytes at most."""
    assert len(key.encode()) > 8_000
    append(store, Claims(taken=(name(key, ONE), name(f"{key}x", OTHER))))
    assert holders(store, key, f"{key}x", f"{key}y") == {key: ONE, f"{key}x": OTHER}
    with pytest.raises(Conflict):
        append(store, Claims(taken=(name(key, OTHER),)))
    append(store, Claims(relied_on=(name(key, ONE),)))
    append(store, Claims(released=(name(key, ONE),)))
    assert holders(store, key) == {}


def test_many_keys_are_taken_and_looked_up_at_once(store: PostgresEventStore) -> None:
    keys = [f"group {number}" for number in range(10_000)]
    append(store, Claims(taken=tuple(name(key, ONE) for key in keys)))
    append(store, Claims(relied_on=tuple(name(key, ONE) for key in keys)))
    assert holders(store, *keys) == dict.fromkeys(keys, ONE)


# --- who joined a group ---------------------------------------------------------------------------------------------

ANN, BEN, ZOE = "ann@example.com", "ben@example.com", 'zoë"\\@example.com'


def join(store: PostgresEventStore, event: GroupEvent, subscription: UUID = SUBSCRIPTION) -> int:
    """Record an event of some group, and return its position."""
    origin = Origin(subscription, Actor("system", "test", ANN), "test")
    return store.append(subscription, [Record(uuid4(), 1, datetime.now(UTC), origin, event)])


def absent(since: int, *emails: str) -> Claims:
    return Claims(joined_nothing=Absence(frozenset(emails), since))


@pytest.mark.parametrize("event", [GroupCreated(BEN, (BEN, ZOE)), UsersAddedToGroup((BEN, ZOE))], ids=repr)
def test_relying_on_nobody_having_joined_conflicts_once_somebody_has(
    store: PostgresEventStore, event: GroupEvent
) -> None:
    append(store, absent(0, ANN, ZOE))
    position = join(store, event)
    with pytest.raises(Conflict):
        append(store, absent(0, ANN, ZOE))
    with pytest.raises(Conflict):
        append(store, absent(position - 1, ZOE))
    append(store, absent(position, ANN, ZOE))
    append(store, absent(0, ANN))


def test_whoever_left_or_joined_elsewhere_or_is_named_otherwise_did_not_join(store: PostgresEventStore) -> None:
    join(store, UsersRemovedFromGroup((ANN,)))
    join(store, GroupCreated("Sales", (ANN,)), uuid4())
    join(store, GroupCreated(ANN, (BEN,)))
    append(store, absent(0, ANN))
