"""The rules that span streams: a key belongs to one stream of its subscription, and an append can rely on that."""

from __future__ import annotations

from functools import partial
from hashlib import sha512
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid4

import pytest

from application.ports import Claim, Claims, Conflict, NoJoins, RequestKey
from application.records import Actor, NewRecord, Origin
from domain.group import GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.subscription import LicencesRevoked
from tests.waiting import Running

if TYPE_CHECKING:
    from adapters.memory.event_store import MemoryEventStore
    from adapters.postgres.event_store import PostgresEventStore
    from domain.group import GroupEvent
    from tests.contracts.conftest import Implementation

    Store: TypeAlias = MemoryEventStore | PostgresEventStore

ONE, OTHER = uuid4(), uuid4()


class Subscription:
    """A new subscription in a store."""

    def __init__(self, store: Store) -> None:
        self.id = uuid4()
        self.origin = Origin(self.id, Actor("system", "test", "Test"), "test")
        self.store = store

    def append(self, claims: Claims) -> UUID:
        """Append one event to a new stream, and return the stream."""
        stream = uuid4()
        self.store.append(self.origin, [NewRecord(stream, 1, LicencesRevoked(("x",)))], claims)
        return stream

    def join(self, event: GroupEvent) -> int:
        """Append an event of a new group, and return its position."""
        return self.store.append(self.origin, [NewRecord(uuid4(), 1, event)])

    def holders(self, *keys: str) -> dict[str, UUID]:
        return self.store.held(self.id, "group-name", keys)

    def licence(self, email: str) -> Claim:
        return Claim("licence", email, self.id)


@pytest.fixture
def subscription(ports: Implementation) -> Subscription:
    return Subscription(ports.events)


def name(key: str, stream: UUID) -> Claim:
    return Claim("group-name", key, stream)


def test_a_key_that_is_taken_is_held_by_its_stream(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    assert subscription.holders("sales", "marketing") == {"sales": ONE}
    assert subscription.holders() == {}


@pytest.mark.parametrize("stream", [ONE, OTHER])
def test_a_key_cannot_be_taken_twice(subscription: Subscription, stream: UUID) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        subscription.append(Claims(taken=(name("sales", stream),)))
    assert subscription.holders("sales") == {"sales": ONE}


def test_a_key_cannot_be_taken_twice_by_one_append(subscription: Subscription) -> None:
    with pytest.raises(Conflict):
        subscription.append(Claims(taken=(name("sales", ONE), name("sales", OTHER))))
    assert subscription.holders("sales") == {}


def test_if_two_take_a_key_at_once_one_succeeds(ports: Implementation, elsewhere: Implementation) -> None:
    both = [Subscription(ports.events), Subscription(elsewhere.events)]
    both[1].origin = both[0].origin

    def attempt(subscription: Subscription, key: str) -> bool:
        try:
            subscription.append(Claims(taken=(name(key, uuid4()),)))
        except Conflict:
            return False
        return True

    for key in map(str, range(50)):
        attempts = [Running(partial(attempt, each, key)) for each in both]
        assert sorted(each.result() for each in attempts) == [False, True]


def test_a_key_may_change_hands_within_one_append(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    subscription.append(Claims(released=(name("sales", ONE),), taken=(name("sales", OTHER),)))
    assert subscription.holders("sales") == {"sales": OTHER}


def test_a_key_that_is_released_is_free(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    subscription.append(Claims(released=(name("sales", ONE),)))
    assert subscription.holders("sales") == {}


def test_a_key_of_another_stream_is_not_released(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    subscription.append(Claims(released=(name("sales", OTHER),)))
    assert subscription.holders("sales") == {"sales": ONE}


def test_an_append_of_claims_alone_keeps_them(subscription: Subscription) -> None:
    assert subscription.store.append(subscription.origin, [], Claims(taken=(name("sales", ONE),))) == 0
    assert subscription.holders("sales") == {"sales": ONE}


def test_a_claim_that_holds_can_be_relied_on(subscription: Subscription) -> None:
    claims = (name("sales", ONE), Claim("licence", "sales", OTHER))
    subscription.append(Claims(taken=claims))
    subscription.append(Claims(relied_on=claims))


def test_a_claim_taken_by_the_same_append_can_be_relied_on(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),), relied_on=(name("sales", ONE),)))


@pytest.mark.parametrize(
    "relied_on",
    [name("marketing", ONE), name("sales", OTHER), Claim("licence", "sales", ONE)],
    ids=["not held", "held by another stream", "of another kind"],
)
def test_relying_on_a_claim_that_does_not_hold_conflicts(subscription: Subscription, relied_on: Claim) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        subscription.append(Claims(relied_on=(name("sales", ONE), relied_on)))


def test_relying_on_a_claim_released_by_the_same_append_conflicts(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        subscription.append(Claims(released=(name("sales", ONE),), relied_on=(name("sales", ONE),)))
    assert subscription.holders("sales") == {"sales": ONE}


def test_licences_can_be_relied_on_by_their_addresses(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(subscription.licence(ANN), subscription.licence(BEN))))
    subscription.append(Claims(licensed=frozenset({ANN, BEN})))


def test_relying_on_a_licence_that_was_revoked_conflicts(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(subscription.licence(ANN), subscription.licence(BEN))))
    subscription.append(Claims(released=(subscription.licence(BEN),)))
    with pytest.raises(Conflict):
        subscription.append(Claims(licensed=frozenset({ANN, BEN})))


def test_a_licence_of_another_subscription_does_not_count(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(subscription.licence(ANN), name(BEN, ONE))))
    for address, where in ((ANN, Subscription(subscription.store)), (BEN, subscription)):
        with pytest.raises(Conflict):
            where.append(Claims(licensed=frozenset({address})))


def test_a_conflict_writes_nothing_at_all(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE), name("support", ONE))))
    head = subscription.store.head()
    with pytest.raises(Conflict):
        subscription.append(
            Claims(
                released=(name("support", ONE),),
                taken=(name("marketing", OTHER),),
                relied_on=(name("sales", OTHER),),
            ),
        )
    assert subscription.store.head() == head
    assert subscription.holders("sales", "support", "marketing") == {"sales": ONE, "support": ONE}


def test_a_version_conflict_takes_no_key(subscription: Subscription) -> None:
    stream = subscription.append(Claims())
    record = NewRecord(stream, 1, LicencesRevoked(("x",)))
    with pytest.raises(Conflict):
        subscription.store.append(subscription.origin, [record], Claims(taken=(name("sales", ONE),)))
    assert subscription.holders("sales") == {}


def test_a_request_is_carried_out_once(subscription: Subscription) -> None:
    request, store = RequestKey("key", uuid4()), subscription.store
    assert store.request_fingerprint(subscription.id, "key") is None
    subscription.append(Claims(request=request))
    assert store.request_fingerprint(subscription.id, "key") == request.fingerprint
    head = store.head()
    for fingerprint in (request.fingerprint, uuid4()):
        with pytest.raises(Conflict):
            subscription.append(Claims(request=RequestKey("key", fingerprint), taken=(name("sales", ONE),)))
    assert store.head() == head
    assert subscription.holders("sales") == {}


def test_a_request_that_changes_nothing_is_remembered_too(subscription: Subscription) -> None:
    request = RequestKey("key", uuid4())
    assert subscription.store.append(subscription.origin, [], Claims(request=request)) == 0
    assert subscription.store.request_fingerprint(subscription.id, "key") == request.fingerprint


def test_the_requests_of_two_subscriptions_are_independent(subscription: Subscription) -> None:
    foreign, fingerprint = Subscription(subscription.store), uuid4()
    subscription.append(Claims(request=RequestKey("key", uuid4())))
    foreign.append(Claims(request=RequestKey("key", fingerprint)))
    assert subscription.store.request_fingerprint(foreign.id, "key") == fingerprint


def test_a_conflict_leaves_the_request_to_be_carried_out(subscription: Subscription) -> None:
    with pytest.raises(Conflict):
        subscription.append(Claims(request=RequestKey("key", uuid4()), relied_on=(name("sales", ONE),)))
    assert subscription.store.request_fingerprint(subscription.id, "key") is None


def test_the_claims_of_two_subscriptions_are_independent(subscription: Subscription) -> None:
    foreign = Subscription(subscription.store)
    subscription.append(Claims(taken=(name("sales", ONE),)))
    foreign.append(Claims(taken=(name("sales", OTHER),)))
    subscription.append(Claims(released=(name("sales", OTHER),)))
    with pytest.raises(Conflict):
        foreign.append(Claims(relied_on=(name("sales", ONE),)))
    subscription.append(Claims(released=(name("sales", ONE),)))
    assert subscription.holders("sales") == {}
    assert foreign.holders("sales") == {"sales": OTHER}


@pytest.mark.parametrize(
    "key",
    [group_key("\ufdfa" * 255), "".join(sha512(bytes([n])).hexdigest() for n in range(70))],
    ids=["255 characters that each become eighteen", "that cannot be compressed"],
)
def test_a_key_longer_than_an_index_can_hold_is_as_unique_as_any(subscription: Subscription, key: str) -> None:
    """An entry of a B-tree in PostgreSQL has 2,704 bytes at most."""
    assert len(key.encode()) > 8_000
    subscription.append(Claims(taken=(name(key, ONE), name(f"{key}x", OTHER))))
    assert subscription.holders(key, f"{key}x", f"{key}y") == {key: ONE, f"{key}x": OTHER}
    with pytest.raises(Conflict):
        subscription.append(Claims(taken=(name(key, OTHER),)))
    subscription.append(Claims(relied_on=(name(key, ONE),)))
    subscription.append(Claims(released=(name(key, ONE),)))
    assert subscription.holders(key) == {}


def test_many_keys_are_taken_and_looked_up_at_once(subscription: Subscription) -> None:
    keys = [f"group {number}" for number in range(10_000)]
    subscription.append(Claims(taken=tuple(name(key, ONE) for key in keys)))
    subscription.append(Claims(relied_on=tuple(name(key, ONE) for key in keys)))
    assert subscription.holders(*keys) == dict.fromkeys(keys, ONE)


# --- who joined a group ---------------------------------------------------------------------------------------------

ANN, BEN, ZOE = "ann@example.com", "ben@example.com", 'zoë"\\@example.com'


def no_joins(since: int, *emails: str) -> Claims:
    return Claims(no_joins=NoJoins(frozenset(emails), since))


@pytest.mark.parametrize("event", [GroupCreated(BEN, (BEN, ZOE)), UsersAddedToGroup((BEN, ZOE))], ids=repr)
def test_relying_on_no_joins_conflicts_once_a_user_has_joined(subscription: Subscription, event: GroupEvent) -> None:
    subscription.append(no_joins(0, ANN, ZOE))
    position = subscription.join(event)
    with pytest.raises(Conflict):
        subscription.append(no_joins(0, ANN, ZOE))
    with pytest.raises(Conflict):
        subscription.append(no_joins(position - 1, ZOE))
    subscription.append(no_joins(position, ANN, ZOE))
    subscription.append(no_joins(0, ANN))


def test_leaving_or_joining_elsewhere_or_being_a_groups_name_is_no_join(subscription: Subscription) -> None:
    subscription.join(UsersRemovedFromGroup((ANN,)))
    Subscription(subscription.store).join(GroupCreated("Sales", (ANN,)))
    subscription.join(GroupCreated(ANN, (BEN,)))
    subscription.append(no_joins(0, ANN))
