"""Every test here runs on both implementations of the ports: in memory and over PostgreSQL.

The tests of a module share one database, so each of them works in subscriptions and streams of its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import psycopg
import pytest

from adapters.composition import Rollcall, composed
from adapters.memory.ports import AlwaysReadable, MemoryPorts, memory_ports
from adapters.memory.turns import MemoryTurns
from tests.conftest import cloned, settings_for
from tests.waiting import waiting_for_locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Implementation: TypeAlias = MemoryPorts | Rollcall


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.database)])
def ports(request: pytest.FixtureRequest) -> Implementation:
    """Return the ports of an implementation; none of their commands waits for views."""
    if request.param == "memory":
        return memory_ports()
    over_postgres: Rollcall = request.getfixturevalue("here")
    return over_postgres


@pytest.fixture
def elsewhere(ports: Implementation, request: pytest.FixtureRequest) -> Implementation:
    """Return the same ports as another process has them. Memory is shared by threads only, so there it's the same."""
    if isinstance(ports, MemoryPorts):
        return ports
    over_postgres: Rollcall = request.getfixturevalue("there")
    return over_postgres


@pytest.fixture
def far_away(ports: Implementation, request: pytest.FixtureRequest) -> Implementation:
    """Return the same ports as a third process has them."""
    if isinstance(ports, MemoryPorts):
        return ports
    over_postgres: Rollcall = request.getfixturevalue("yonder")
    return over_postgres


@pytest.fixture
def waiting(ports: Implementation, request: pytest.FixtureRequest) -> Iterator[Callable[[], int]]:
    """Return a function that counts the threads that are waiting for a turn."""
    if isinstance(ports, MemoryPorts):
        turns = ports.turns
        assert isinstance(turns, MemoryTurns)
        yield turns.waiting
    else:
        with psycopg.connect(request.getfixturevalue("shared_database"), autocommit=True) as connection:
            yield partial(waiting_for_locks, connection)


@pytest.fixture(scope="module")
def shared_database(server: str, template: str) -> Iterator[str]:
    """Return the connection string of a database for all tests of a module."""
    with cloned(server, template) as conninfo:
        yield conninfo


@pytest.fixture(scope="module")
def here(shared_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the module's database."""
    with composed(settings_for(shared_database), readable=AlwaysReadable()) as rollcall:
        yield rollcall


@pytest.fixture(scope="module")
def there(shared_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the module's database, as another process has it."""
    with composed(settings_for(shared_database), readable=AlwaysReadable()) as rollcall:
        yield rollcall


@pytest.fixture(scope="module")
def yonder(shared_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the module's database, as a third process has it."""
    with composed(settings_for(shared_database), readable=AlwaysReadable()) as rollcall:
        yield rollcall
