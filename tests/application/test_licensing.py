from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.deciding import Once
from application.licensing import Allocated, allocate_licences, create_subscription
from application.recorded import Origin
from domain import subscription
from domain.errors import KeyReused, NotFound, SeatsExceeded
from domain.subscription import User
from projections import directory
from tests.conftest import ANN, subscribed

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


def test_a_licence_can_be_read_once_it_was_allocated(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=3)
    done = allocate_licences(rollcall.ports, origin, [User("ann@example.com"), User("ben@example.com")])
    assert (done.allocated, done.already_allocated, done.readable) == (2, 0, True)
    with rollcall.reading() as cursor:
        (row,) = directory.subscriptions(cursor)
        assert (row.name, row.seats, row.seats_taken, row.seats_free) == ("Contoso", 3, 2, 1)
        assert directory.unlicensed(cursor, row.id, ["ann@example.com", "cem@example.com"]) == {"cem@example.com"}


def test_whoever_holds_a_licence_takes_no_second_seat(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, "ann@example.com", seats=2)
    users = [User("ann@example.com"), User("ben@example.com"), User("ben@example.com")]
    done = allocate_licences(rollcall.ports, origin, users)
    assert (done.allocated, done.already_allocated) == (1, 1)
    done = allocate_licences(rollcall.ports, origin, users)
    assert (done.allocated, done.already_allocated) == (0, 2)


def test_too_few_seats_allocate_to_nobody(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=1)
    with pytest.raises(SeatsExceeded):
        allocate_licences(rollcall.ports, origin, [User("ann@example.com"), User("ben@example.com")])
    assert rollcall.events.held(origin.subscription_id, "licence", ["ann@example.com"]) == {}


def test_a_subscription_that_is_not_there_licenses_nobody(rollcall: Rollcall) -> None:
    with pytest.raises(NotFound):
        allocate_licences(rollcall.ports, Origin(uuid4(), ANN, "test"), [User("ann@example.com")])


def test_seats_are_not_oversold_by_many_at_once(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=10)

    def take(number: int) -> bool:
        try:
            allocate_licences(rollcall.ports, origin, [User(f"u{number}@example.com")])
        except SeatsExceeded:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(16))) == 10
    stream = rollcall.events.load(origin.subscription_id, subscription.evolve)
    assert stream is not None
    assert (stream.state.seats, stream.state.taken) == (10, 10)


def test_two_subscriptions_may_bear_one_name(rollcall: Rollcall) -> None:
    for _ in range(2):
        create_subscription(rollcall.ports, Origin(uuid4(), ANN, "test"), "Contoso", 1)
    with rollcall.reading() as cursor:
        assert len(directory.subscriptions(cursor, name_or_id="Contoso")) == 2


def test_a_request_under_the_same_key_is_done_once(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=10)
    asked = uuid4()
    ann, ben = User("ann@example.com"), User("ben@example.com")
    assert allocate_licences(rollcall.ports, origin, [ann], Once("key", asked)).allocated == 1
    assert allocate_licences(rollcall.ports, origin, [ann], Once("key", asked)) == Allocated(0, 1)
    with pytest.raises(KeyReused):
        allocate_licences(rollcall.ports, origin, [ben], Once("key", uuid4()))
    assert allocate_licences(rollcall.ports, origin, [ann], Once("nothing", asked)).allocated == 0
    with pytest.raises(KeyReused):
        allocate_licences(rollcall.ports, origin, [ben], Once("nothing", uuid4()))
