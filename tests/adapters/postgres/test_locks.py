"""What is PostgreSQL's own about turns and locks; the rest of the turns is in tests/contracts."""

from __future__ import annotations

from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from adapters.composition import composed
from adapters.settings import read_settings
from application.licensing import allocate_licences
from domain import subscription
from domain.subscription import User
from tests.conftest import subscribed, working
from tests.waiting import Running, at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from adapters.postgres.locks import AdvisoryLocks

pytestmark = pytest.mark.database


def test_a_turn_takes_no_connection_from_the_pool(database: str) -> None:
    """There are as many turns as the pool has connections, and each holder needs a connection as well."""
    settings = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_POOL_SIZE": "4"})
    with composed(settings) as rollcall:
        together = Barrier(4)

        def take_turn() -> int:
            with rollcall.turns.commit(uuid4()):
                together.wait(timeout=20)
                return rollcall.events.head()

        assert [each.result(20) for each in [Running(take_turn) for _ in range(4)]] == [0, 0, 0, 0]


def test_a_crowd_that_waits_for_its_turn_leaves_the_connections_to_the_holder(database: str) -> None:
    """Sixteen threads share four connections. A holder needs several, and must not wait for one of those who wait."""
    settings = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_POOL_SIZE": "4"})
    with composed(settings) as rollcall, working(rollcall):
        origins = [subscribed(rollcall, seats=100) for _ in range(2)]

        def allocate(number: int) -> None:
            for each in range(5):
                user = User(f"u{number}-{each}@example.com")
                assert allocate_licences(rollcall, origins[number % 2], [user]).allocated == 1

        at_once(*(partial(allocate, number) for number in range(16)))
        for origin in origins:
            stream = rollcall.events.load(origin.subscription_id, subscription.fold)
            assert stream
            assert (stream.state.seats, stream.state.taken) == (100, 40)


def test_only_one_process_at_a_time_holds_a_lock(compose: Callable[[], Rollcall]) -> None:
    one, other = compose().locks, compose().locks
    with (
        one.try_acquire("view", "audit_log") as first,
        other.try_acquire("view", "audit_log") as second,
        other.try_acquire("view", "review") as third,
    ):
        assert (first, second, third) == (True, False, True)
    assert is_free(other, "view", "audit_log")


def test_a_lock_is_free_once_its_holder_loses_the_connection(compose: Callable[[], Rollcall], database: str) -> None:
    one, other = compose().locks, compose().locks
    with one.try_acquire("commit", "x") as first, psycopg.connect(database, autocommit=True) as connection:
        assert first
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        eventually(lambda: is_free(other, "commit", "x"))


def is_free(locks: AdvisoryLocks, *name: str) -> bool:
    """Return whether another process can take the lock."""
    with locks.try_acquire(*name) as acquired:
        return acquired
