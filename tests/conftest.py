"""A real PostgreSQL for the tests: one template database a run, cloned for each test."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from adapters.composed_worker import composed_worker
from adapters.composition import Rollcall, composed
from adapters.postgres.embedded import embedded_server
from adapters.postgres.locks import AdvisoryTurns
from adapters.settings import Settings, read_settings
from application.licensing import allocate_licences, create_subscription
from application.records import Actor, Origin
from domain.subscription import User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.worker import Worker
    from application.ports import Deciding

ANN = Actor("administrator", "ann", "Ann")


@pytest.fixture(autouse=True)
def _no_settings_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a developer has set for the program away from its tests."""
    for name in list(os.environ):
        if name.startswith("ROLLCALL_") and not name.startswith("ROLLCALL_TEST_"):
            monkeypatch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    """Make a place for the embedded server that all test workers share; only the first process comes by here first."""
    if "ROLLCALL_TEST_SERVER_DIR" not in os.environ:
        directory = Path(mkdtemp(prefix="rollcall-test-"))
        directory.chmod(0o755)  # the server's own user must get in, where the tests run as root
        os.environ["ROLLCALL_TEST_SERVER_DIR"] = str(directory)
        config.add_cleanup(lambda: rmtree(directory, ignore_errors=True))


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Where PostgreSQL is: the server of ROLLCALL_TEST_DATABASE_URL, or an embedded one that all test workers share."""
    if url := os.environ.get("ROLLCALL_TEST_DATABASE_URL"):
        yield url
    else:
        with embedded_server(Path(os.environ["ROLLCALL_TEST_SERVER_DIR"]) / "postgres") as conninfo:
            _trust_the_disk(conninfo)
            yield conninfo


def _trust_the_disk(conninfo: str) -> None:
    """Keep a server that is gone after the tests from waiting for the disk: they take half the time."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '8GB'", "checkpoint_timeout = '1h'"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def template(server: str, worker_id: str) -> Iterator[str]:
    """Make a database with every table in it, to be cloned; named after the one that the tests were given."""
    name = f"{conninfo_to_dict(server)['dbname']}_{uuid4().hex[:12]}_{worker_id}"
    _execute(server, SQL("CREATE DATABASE {}").format(Identifier(name)))
    with composed(settings_for(make_conninfo(server, dbname=name))):
        pass
    yield name
    _execute(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def database(server: str, template: str) -> Iterator[str]:
    """Return the connection string of a database of this test's own."""
    with cloned(server, template) as conninfo:
        yield conninfo


@contextmanager
def cloned(server: str, template: str) -> Iterator[str]:
    """Return the connection string of a new database with every table in it, gone after the block."""
    name = f"{template}_{uuid4().hex[:8]}"
    # To copy files is quick where nobody waits for the disk, as on the embedded server; else to write pages to the log.
    how = "WAL_LOG" if "ROLLCALL_TEST_DATABASE_URL" in os.environ else "FILE_COPY"
    clone = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}")
    _execute(server, clone.format(Identifier(name), Identifier(template), Identifier(how)))
    yield make_conninfo(server, dbname=name)
    _execute(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def compose(database: str) -> Iterator[Callable[[], Rollcall]]:
    """Return what puts Rollcall together over this test's database: once more is another process's view of it."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(composed(settings_for(database)))


@pytest.fixture
def idle(compose: Callable[[], Rollcall]) -> Rollcall:
    """Return Rollcall without a worker: nothing moves but what the test moves."""
    return compose()


@pytest.fixture
def rollcall(idle: Rollcall) -> Iterator[Rollcall]:
    """Return Rollcall with a worker."""
    with working(idle):
        yield idle


def working(rollcall: Rollcall, *, commits: bool = True) -> Worker:
    """Return a worker, which works while it is entered."""
    return composed_worker(rollcall, commits=commits)


def settings_for(conninfo: str) -> Settings:
    """Return the default settings over a database."""
    return read_settings({"ROLLCALL_DATABASE_URL": conninfo})


def subscribed(rollcall: Rollcall, *emails: str, seats: int = 1_000_000) -> Origin:
    """Create a subscription that licenses these users, and return an administrator's origin."""
    origin = Origin(uuid4(), ANN, "test")
    create_subscription(rollcall, origin, "Contoso", seats)
    allocate_licences(rollcall, origin, [User(email) for email in emails])
    return origin


class _NoTurns(AdvisoryTurns):
    """Everybody decides at once: the proof inside the append has to do."""

    @contextmanager
    def deciding(self, _subscription_id: UUID, *_what: Deciding) -> Iterator[None]:
        yield


def without_turns(rollcall: Rollcall) -> Rollcall:
    """Return the same without the turns to decide."""
    return replace(rollcall, turns=_NoTurns(rollcall.datastore))


def importing_as(origin: Origin, import_id: UUID | None = None) -> Origin:
    """Return the same origin for an import."""
    return Origin(origin.subscription_id, origin.actor, origin.request_id, import_id or uuid4())


def _execute(server: str, statement: Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
