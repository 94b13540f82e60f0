"""A real PostgreSQL for the tests that need one: a template database for the whole run, cloned for each test."""

from __future__ import annotations

import os
import ssl
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import disk_usage, rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, Unpack
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from adapters.composed_worker import composed_worker
from adapters.composition import Overrides, Rollcall, composed
from adapters.memory.ports import AlwaysReadable
from adapters.postgres.embedded import embedded_server
from adapters.settings import Settings, read_settings
from application.licensing import allocate_licences, create_subscription
from application.ports import Ports
from application.records import Actor, Origin
from domain.subscription import User
from projections.projector import Projector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.rows import DictRow

    from adapters.worker import Worker
    from application.ports import SharedPart, Turns

P = TypeVar("P", bound=Ports)

# How long an example takes depends on what else runs. Chance doesn't decide what lands: CI draws the same examples each
# time, as Hypothesis suggests, and `make test` on somebody's machine looks for others.
settings.register_profile("rollcall", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rollcall")

ROOM_BYTES = 6_000_000_000
ANN = Actor("administrator", "ann", "Ann")


class Compose(Protocol):
    """Puts Rollcall together over a test's database; calling it again gives another process's view of it."""

    def __call__(self, **overrides: Unpack[Overrides]) -> Rollcall: ...


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings of the program away from its tests."""
    for name in list(os.environ):
        if name.startswith("ROLLCALL_") and not name.startswith("ROLLCALL_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """Keep each HTTP client from reading the machine's certificates, which takes 20 ms: nobody here speaks TLS."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Make a directory for the embedded server that all test workers share: the first process to start makes it."""
    if "ROLLCALL_TEST_SERVER_DIR" not in os.environ:
        directory = Path(mkdtemp(prefix="rollcall-test-", dir=_memory()))
        directory.chmod(0o755)  # the server's own user must get in, where the tests run as root
        os.environ["ROLLCALL_TEST_SERVER_DIR"] = str(directory)
        config.add_cleanup(lambda: rmtree(directory, ignore_errors=True))


def _memory() -> str | None:
    """Return a folder that is kept in memory, if there is one with room: a database is cloned there in 10 ms."""
    folder = "/dev/shm"  # noqa: S108 - the directory made in it is ours alone
    return folder if Path(folder).is_dir() and disk_usage(folder).free >= ROOM_BYTES else None


def widest_scope(fixture_name: str, config: pytest.Config) -> Literal["session", "module"]:
    """Return how long a served Rollcall may be shared: an idle one keeps some thirty connections.

    The embedded server takes 300; one that was given may take no more than PostgreSQL's default of 100.
    """
    return "module" if "ROLLCALL_TEST_DATABASE_URL" in os.environ else "session"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the server of ROLLCALL_TEST_DATABASE_URL, or start an embedded one that all test workers share."""
    if url := os.environ.get("ROLLCALL_TEST_DATABASE_URL"):
        yield url
    else:
        with embedded_server(Path(os.environ["ROLLCALL_TEST_SERVER_DIR"]) / "postgres") as conninfo:
            _trust_the_disk(conninfo)
            yield conninfo


def _trust_the_disk(conninfo: str) -> None:
    """Keep the server from waiting for the disk, since it is gone after the tests: they take half the time."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '2GB'", "checkpoint_timeout = '1h'"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def template(server: str, worker_id: str) -> Iterator[str]:
    """Make a database with all tables, to be cloned; its name begins with that of the database given to the tests."""
    name = f"{conninfo_to_dict(server)['dbname']}_{uuid4().hex[:12]}_{worker_id}"
    _execute(server, SQL("CREATE DATABASE {}").format(Identifier(name)))
    with composed(settings_for(make_conninfo(server, dbname=name))):
        pass
    yield name
    _execute(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def cloned(server: str, template: str) -> Iterator[str]:
    """Clone the template database and yield the connection string of the copy; it is dropped at the end."""
    name = f"{template}_{uuid4().hex[:8]}"
    # Copying files is quicker on the embedded server, which doesn't wait for the disk; writing to the log is elsewhere.
    how = "WAL_LOG" if "ROLLCALL_TEST_DATABASE_URL" in os.environ else "FILE_COPY"
    clone = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}")
    _execute(server, clone.format(Identifier(name), Identifier(template), Identifier(how)))
    yield make_conninfo(server, dbname=name)
    _execute(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def database(server: str, template: str) -> Iterator[str]:
    """Return the connection string of a database for this test alone."""
    with cloned(server, template) as conninfo:
        yield conninfo


@pytest.fixture
def compose(database: str) -> Iterator[Compose]:
    """Return a function that puts Rollcall together over this test's database."""
    with ExitStack() as stack:
        yield lambda **overrides: stack.enter_context(composed(settings_for(database), **overrides))


@pytest.fixture
def idle(compose: Compose) -> Rollcall:
    """Return Rollcall without a worker: nothing happens but what the test does."""
    return compose()


@pytest.fixture
def unattended(compose: Compose) -> Rollcall:
    """Return Rollcall without a worker, whose commands do not wait for the views either."""
    return compose(readable=AlwaysReadable())


@pytest.fixture
def rollcall(idle: Rollcall) -> Iterator[Rollcall]:
    """Return Rollcall with a worker."""
    with working(idle):
        yield idle


def working(rollcall: Rollcall, *, commits: bool = True) -> Worker:
    """Return a worker for use as a context manager: it works as long as the block runs."""
    return composed_worker(rollcall, commits=commits)


def advance_views(rollcall: Rollcall, *names: str) -> None:
    """Let these views, or all of them, apply what they don't show yet, as a worker would."""
    with rollcall.datastore.connect() as connection:
        for each in rollcall.projectors:
            if not names or each.view.name in names:  # reading for itself, not only what this process was told of
                advance_to_the_end(Projector(rollcall.datastore, each.view, rollcall.events.read_log), connection)


def advance_to_the_end(projector: Projector, connection: psycopg.Connection[DictRow]) -> None:
    """Apply all events that a view doesn't show yet."""
    bookmark = projector.bookmark()
    while (reached := projector.advance(connection, bookmark)) != bookmark:
        bookmark = reached


def settings_for(conninfo: str) -> Settings:
    """Return the default settings over a database."""
    return read_settings({"ROLLCALL_DATABASE_URL": conninfo})


def subscribed(ports: Ports, *emails: str, seats: int = 1_000_000) -> Origin:
    """Create a subscription, allocate licences to these users, and return an administrator's origin in it."""
    origin = Origin(uuid4(), ANN, "test")
    create_subscription(ports, origin, "Contoso", seats)
    allocate_licences(ports, origin, [User(email) for email in emails])
    return origin


class NoTurnsToDecide:
    """Lets everybody decide at the same time, so that only the claims keep the rules. The other turns stay."""

    def __init__(self, turns: Turns) -> None:
        self.commit = turns.commit
        self.upload = turns.upload

    @contextmanager
    def decide(self, _subscription_id: UUID, *_parts: SharedPart) -> Iterator[None]:
        """Wait for nobody."""
        yield


def without_turns(ports: P) -> P:
    """Return the same ports, except that there are no turns to decide."""
    return replace(ports, turns=NoTurnsToDecide(ports.turns))


def importing_as(origin: Origin, import_id: UUID | None = None) -> Origin:
    """Return the same origin with an import: a new one, unless its id is given."""
    return Origin(origin.subscription_id, origin.actor, origin.request_id, import_id or uuid4())


def _execute(server: str, statement: Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
