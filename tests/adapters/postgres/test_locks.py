from __future__ import annotations

from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from adapters.composition import composed
from adapters.settings import read_settings
from tests.waiting import Running, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from adapters.postgres.locks import AdvisoryLocks

pytestmark = pytest.mark.database


def test_one_process_at_a_time_has_an_imports_turn(compose: Callable[[], Rollcall], database: str) -> None:
    one, other, import_id = compose().turns, compose().turns, uuid4()
    order: list[str] = []

    def second() -> None:
        with other.turn(import_id):
            order.append("second")

    with psycopg.connect(database, autocommit=True) as looking:
        with one.turn(import_id):
            waiting = Running(second)
            eventually(lambda: somebody_waits_for_a_lock(looking))
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]


def test_the_turns_of_two_imports_do_not_exclude_each_other(compose: Callable[[], Rollcall]) -> None:
    one, other = compose().turns, compose().turns
    with one.turn(uuid4()), other.turn(uuid4()):
        pass


def test_a_turn_ends_with_an_error_too(idle: Rollcall) -> None:
    import_id = uuid4()
    with pytest.raises(RuntimeError), idle.turns.turn(import_id):
        raise RuntimeError
    with idle.turns.turn(import_id):
        pass


def test_whoever_has_a_turn_does_not_wait_for_those_who_wait_for_theirs(database: str) -> None:
    """As many as the pool has connections have a turn, and each of them needs another one to do what it has it for."""
    settings = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_POOL_SIZE": "4"})
    with composed(settings) as rollcall:
        together = Barrier(4)

        def take_a_turn() -> int:
            with rollcall.turns.turn(uuid4()):
                together.wait(timeout=20)
                return rollcall.events.head()

        assert [each.result(20) for each in [Running(take_a_turn) for _ in range(4)]] == [0, 0, 0, 0]


def test_one_process_at_a_time_is_alone(compose: Callable[[], Rollcall]) -> None:
    one, other = compose().locks, compose().locks
    with (
        one.try_acquire("view", "audit_log") as first,
        other.try_acquire("view", "audit_log") as second,
        other.try_acquire("view", "review") as third,
    ):
        assert (first, second, third) == (True, False, True)
    eventually(lambda: is_free(other, "view", "audit_log"))


def test_a_holder_whose_connection_breaks_is_alone_no_more(compose: Callable[[], Rollcall], database: str) -> None:
    one, other = compose().locks, compose().locks
    with one.try_acquire("commit", "x") as first, psycopg.connect(database, autocommit=True) as connection:
        assert first
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        eventually(lambda: is_free(other, "commit", "x"))


def is_free(locks: AdvisoryLocks, *words: str) -> bool:
    """Tell whether somebody else could be alone; the server notices a moment later that a connection was closed."""
    with locks.try_acquire(*words) as alone:
        return alone
