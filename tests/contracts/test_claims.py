"""The rules that span streams: a key belongs to one stream of its subscription, and an append can rely on that."""

from __future__ import annotations

from functools import partial
from hashlib import sha512
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.ports import Claim, Claims, Conflict, Licensed, NoJoins, RequestKey
from application.records import Actor, NewRecord, Origin
from domain.addition import UsersLeftOut
from domain.group import GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.subscription import LicencesAllocated, LicencesRevoked, User
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.memory.event_store import MemoryEventStore
    from adapters.postgres.event_store import PostgresEventStore
    from domain.group import GroupEvent
    from domain.subscription import SubscriptionEvent
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

    def join(self, event: GroupEvent, licensed: Licensed | None = None) -> int:
        """Append an event of a new group, decided on these licences, and return its position."""
        claims = Claims(licences_at=licensed.at if licensed else None)
        return self.store.append(self.origin, [NewRecord(uuid4(), 1, event)], claims).position

    def leave_out(self, licensed: Licensed, *emails: str) -> None:
        """Append that an import leaves these users out, decided on these licences."""
        left_out = NewRecord(uuid4(), 1, UsersLeftOut(1, emails))
        self.store.append(self.origin, [left_out], Claims(licences_at=licensed.at))

    def allocate(self, *emails: str) -> None:
        self._change(LicencesAllocated(tuple(map(User, emails))), Claims(taken=self._licences(emails)))

    def revoke(self, *emails: str) -> None:
        self._change(LicencesRevoked(emails), Claims(released=self._licences(emails)))

    def licensed(self, *emails: str) -> Licensed:
        return self.store.licensed(self.id, emails)

    def _change(self, event: SubscriptionEvent, claims: Claims) -> None:
        version = self.store.versions([self.id]).get(self.id, 0)
        self.store.append(self.origin, [NewRecord(self.id, version + 1, event)], claims)

    def _licences(self, emails: tuple[str, ...]) -> tuple[Claim, ...]:
        return tuple(Claim("licence", email, self.id) for email in emails)

    def holders(self, *keys: str) -> dict[str, UUID]:
        return self.store.held(self.id, "group-name", keys)


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


def test_if_two_take_the_same_keys_at_once_one_succeeds(ports: Implementation, elsewhere: Implementation) -> None:
    both = [Subscription(ports.events), Subscription(elsewhere.events)]
    both[1].origin = both[0].origin

    def attempt(subscription: Subscription, keys: Iterable[str]) -> bool:
        try:
            subscription.append(Claims(taken=tuple(name(key, uuid4()) for key in keys)))
        except Conflict:
            return False
        return True

    for number in range(4):
        keys = [f"{number} {key}" for key in range(5_000)]
        attempts = [Running(partial(attempt, *each)) for each in zip(both, (keys, keys[::-1]), strict=True)]
        assert sorted(each.result() for each in attempts) == [False, True]


def test_a_key_is_not_free_for_the_append_that_releases_it(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    with pytest.raises(Conflict):
        subscription.append(Claims(released=(name("sales", ONE),), taken=(name("sales", OTHER),)))
    assert subscription.holders("sales") == {"sales": ONE}


def test_a_key_that_is_released_is_free(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    subscription.append(Claims(released=(name("sales", ONE),)))
    assert subscription.holders("sales") == {}


def test_a_key_of_another_stream_is_not_released(subscription: Subscription) -> None:
    subscription.append(Claims(taken=(name("sales", ONE),)))
    subscription.append(Claims(released=(name("sales", OTHER),)))
    assert subscription.holders("sales") == {"sales": ONE}


def test_an_append_of_claims_alone_keeps_them(subscription: Subscription) -> None:
    assert subscription.store.append(subscription.origin, [], Claims(taken=(name("sales", ONE),))).position == 0
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
    assert subscription.store.append(subscription.origin, [], Claims(request=request)).position == 0
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


# --- who has a licence ----------------------------------------------------------------------------------------------


def test_licences_are_looked_up_as_of_a_version_of_the_subscription(subscription: Subscription) -> None:
    assert subscription.licensed(ANN, BEN) == Licensed(frozenset(), 0)
    subscription.allocate(ANN, ZOE)
    Subscription(subscription.store).allocate(BEN)
    assert subscription.licensed(ANN, BEN, ZOE) == Licensed(frozenset({ANN, ZOE}), 1)
    subscription.revoke(ANN)
    assert subscription.licensed(ANN, ZOE) == Licensed(frozenset({ZOE}), 2)
    assert subscription.licensed() == Licensed(frozenset(), 2)


@pytest.mark.parametrize("event", [GroupCreated(ANN, (BEN, ZOE)), UsersAddedToGroup((BEN, ZOE))], ids=repr)
def test_nobody_joins_whose_licence_was_revoked_since_it_was_looked_up(
    subscription: Subscription, event: GroupEvent
) -> None:
    subscription.allocate(ANN, BEN, ZOE)
    licensed = subscription.licensed(BEN, ZOE)
    subscription.join(event, licensed)
    subscription.revoke(ANN, ZOE)
    with pytest.raises(Conflict):
        subscription.join(event, licensed)
    subscription.join(event, subscription.licensed(BEN, ZOE))


def test_licences_of_others_may_be_revoked_meanwhile(subscription: Subscription) -> None:
    foreign = Subscription(subscription.store)
    subscription.allocate(ANN, BEN)
    foreign.allocate(BEN)
    licensed = subscription.licensed(BEN)
    subscription.revoke(ANN)
    foreign.revoke(BEN)
    subscription.allocate(ANN)
    subscription.join(GroupCreated(ANN, (BEN,)), licensed)


def test_nobody_is_left_out_who_got_a_licence_since_it_was_looked_up(subscription: Subscription) -> None:
    subscription.allocate(BEN)
    licensed = subscription.licensed(ANN, BEN)
    subscription.leave_out(licensed, ANN, ZOE)
    subscription.allocate(ANN)
    head = subscription.store.head()
    with pytest.raises(Conflict):
        subscription.leave_out(licensed, ZOE, ANN)
    assert subscription.store.head() == head
    subscription.leave_out(licensed, ZOE)
    subscription.leave_out(subscription.licensed(ZOE), ZOE)


def test_a_licence_that_was_revoked_and_given_back_is_looked_up_again(subscription: Subscription) -> None:
    """The user has left all groups in between, and this append may have been decided on the groups before that."""
    subscription.allocate(ANN)
    licensed = subscription.licensed(ANN)
    subscription.revoke(ANN)
    subscription.allocate(ANN)
    with pytest.raises(Conflict):
        subscription.join(GroupCreated("Sales", (ANN,)), licensed)


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_joins_has_a_licence_however_looking_up_and_revoking_interleave(
    ports: Implementation, data: st.DataObject
) -> None:
    """Several commits look up licences, and append later; meanwhile licences are allocated and revoked."""
    subscription, users = Subscription(ports.events), st.sets(st.sampled_from([ANN, BEN, ZOE]), min_size=1)
    held: set[str] = set()
    looked_up: list[Licensed] = []
    for step in data.draw(st.lists(st.sampled_from(["allocate", "revoke", "look up", "join"]), max_size=25)):
        some = data.draw(users)
        match step:
            case "allocate" if new := some - held:
                subscription.allocate(*sorted(new))
                held |= new
            case "revoke" if gone := some & held:
                subscription.revoke(*sorted(gone))
                held -= gone
            case "look up":
                looked_up.append(subscription.licensed(*some))
                assert looked_up[-1].users == some & held
            case "join" if looked_up:
                licensed = looked_up[data.draw(st.integers(0, len(looked_up) - 1))]
                try:
                    subscription.join(GroupCreated("Sales", tuple(sorted(licensed.users))), licensed)
                except Conflict:
                    looked_up.remove(licensed)
                else:
                    assert licensed.users <= held
