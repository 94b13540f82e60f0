"""Every connection sets what the promises need, whatever the role, the database or the environment say."""

from __future__ import annotations

from functools import partial
from select import POLLIN, poll
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier, Literal

from adapters.memory.ports import AlwaysReadable
from adapters.postgres.datastore import Datastore
from application.grouping import create_group
from application.licensing import revoke_licences
from domain.errors import NotLicensed
from tests.conftest import subscribed, without_turns
from tests.waiting import APPEND_LOCK, GENEROUS_SECONDS, Running, eventually, waiting_for_locks

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ODD = {
    "default_transaction_isolation": ("repeatable read", "read committed"),
    "synchronous_commit": ("off", "on"),
    "client_encoding": ("LATIN1", "UTF8"),
    "DateStyle": ("German", "ISO, MDY"),
    "IntervalStyle": ("iso_8601", "postgres"),
    "TimeZone": ("Asia/Kathmandu", "UTC"),
    "lock_timeout": ("1ms", "0"),
    "statement_timeout": ("30s", "0"),
    "idle_session_timeout": ("30s", "0"),
    "idle_in_transaction_session_timeout": ("5s", "1min"),
    "search_path": ("public", "rollcall"),
}
"""For each setting an odd value, and what Rollcall uses instead."""


def alter_database(database: str, name: str, value: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            SQL("ALTER DATABASE {} SET {} = {}").format(
                Identifier(str(conninfo_to_dict(database)["dbname"])), Identifier(name), Literal(value)
            )
        )


def alter_role_in_database(database: str, name: str, value: str) -> None:
    """Set it for the role in this database alone, which wins over the database's and the role's own settings."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}").format(
                Identifier(str(conninfo_to_dict(database)["dbname"])), Identifier(name), Literal(value)
            )
        )


def shown(connection: psycopg.Connection[dict[str, object]], name: str) -> object:
    row = connection.execute("SELECT current_setting(%s) AS value", (name,)).fetchone()
    assert row
    return row["value"]


@pytest.mark.parametrize("alter", [alter_database, alter_role_in_database])
@pytest.mark.parametrize("name", ODD)
def test_settings_of_the_role_or_the_database_change_nothing(
    database: str, name: str, alter: Callable[[str, str, str], None]
) -> None:
    odd, needed = ODD[name]
    alter(database, name, odd)
    with Datastore(database, "rollcall", 2) as datastore:
        with datastore.get_connection() as statement:
            assert shown(statement, name) == needed
        with datastore.views() as cursor:
            assert shown(cursor.connection, name) == needed
        with datastore.lock_pool.connection() as turn:
            assert shown(turn, name) == needed
        with datastore.connect() as listening:
            assert shown(listening, name) == needed


@pytest.mark.parametrize("name", [name for name in ODD if name != "client_encoding"])
def test_options_of_the_connection_string_change_nothing(database: str, name: str) -> None:
    odd, needed = ODD[name]
    value = odd.replace(" ", "\\ ")
    with (
        Datastore(make_conninfo(database, options=f"-c {name}={value}"), "rollcall", 2) as datastore,
        datastore.get_connection() as connection,
    ):
        assert shown(connection, name) == needed


def test_the_encoding_of_the_connection_string_or_the_environment_changes_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    for conninfo in (database, make_conninfo(database, client_encoding="LATIN1")):
        with Datastore(conninfo, "rollcall", 2) as datastore, datastore.get_connection() as connection:
            assert shown(connection, "client_encoding") == "UTF8"


def test_nobody_unlicensed_joins_a_group_where_the_role_asks_for_repeatable_reads(
    database: str, compose: Callable[..., Rollcall]
) -> None:
    """An append that waits for its turn must see what the append before it changed: here it revokes the licence."""
    alter_database(database, "default_transaction_isolation", "repeatable read")
    rollcall = without_turns(compose(readable=AlwaysReadable()))
    origin = subscribed(rollcall, "ann@example.com")
    with psycopg.connect(database, autocommit=True) as looking:
        with psycopg.connect(database) as holding:
            holding.execute(APPEND_LOCK)
            revoking = Running(partial(revoke_licences, rollcall, origin, ["ann@example.com"]))
            eventually(lambda: waiting_for_locks(looking) == 1)
            creating = Running(partial(create_group, rollcall, origin, uuid4(), "Sales", ["ann@example.com"]))
            eventually(lambda: waiting_for_locks(looking) == 2)
        revoking.result()
        with pytest.raises(NotLicensed):
            creating.result()


def test_the_pool_lends_no_connection_that_the_server_is_about_to_close(database: str) -> None:
    with Datastore(database, "rollcall", 1) as datastore, psycopg.connect(database, autocommit=True) as other:
        for _ in range(20):
            with datastore.get_connection() as connection:
                lent = connection
            arrivals = poll()
            arrivals.register(lent.fileno(), POLLIN)
            other.execute("SELECT pg_terminate_backend(%s)", (lent.info.backend_pid,))
            assert arrivals.poll(GENEROUS_SECONDS * 1_000)  # what the server says before the end
            with datastore.get_connection() as connection:
                assert shown(connection, "search_path") == "rollcall"
