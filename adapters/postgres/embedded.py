"""The embedded server: a PostgreSQL that comes with Rollcall, shared by all its processes on this machine.

The processes coordinate with `flock`. The kernel releases these locks when a process ends, for whatever reason:

- `in-use.lock` is shared by all users of the server. A user that can lock it exclusively is the last one, and stops
  the server.
- `starting.lock` is held exclusively while a process sets up, starts or stops the server.
- `server.lock` is inherited by the server's own processes. While it is held, one of them is alive.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from io import FileIO
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.postgres.embedded_programs import MAJOR_VERSION, UNFINISHED, EmbeddedServerError, Programs, move

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

DATABASE = "rollcall"
PORT = 5432  # only part of the socket's name: the server does not listen on the network
LONGEST_SOCKET = 103  # bytes in the path of a socket on macOS; Linux allows 107
START_SECONDS = 120  # after a crash, the server replays up to `max_wal_size` before it accepts a connection
STOP_SECONDS = 120
POLL_SECONDS = 0.05
LOOK_SECONDS = 1.0
PAUSE_SECONDS = 5.0  # after a start that failed
LOG_BYTES = 10_000_000
LOG_LINES = 8
# A relative path: pg_ctl passes it to a shell, which would expand special characters in the rest.
IN_PGDATA = ("-D", "pgdata")
INITDB = (
    *("--username=postgres", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"),
    # Order by code point, which is the same on every machine.
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
)
SERVER_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # clients see their errors; here these would leave addresses and names in the log
}


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Yield a libpq connection string for the server in `data_dir`, which is created and started as needed.

    While it is used, it is started again if it dies. It stops when its last user ends, in whichever process. Raises
    EmbeddedServerError.
    """
    with _explained(data_dir):
        server = Server(data_dir.resolve())
        use = server.open_lock("in-use.lock")
    with use:
        fcntl.flock(use, fcntl.LOCK_SH)
        try:
            with _explained(data_dir), server.starting():
                conninfo = server.ready()
            with _kept_running(server):
                yield conninfo
        finally:
            with _explained(data_dir), server.starting():
                if _locked_alone(use):
                    server.stop()


@contextmanager
def _kept_running(server: Server) -> Iterator[None]:
    ending = Event()
    guard = Thread(target=_start_when_dead, args=(server, ending), name="embedded server", daemon=True)
    guard.start()
    try:
        yield
    finally:
        ending.set()
        guard.join()


def _start_when_dead(server: Server, ending: Event) -> None:
    """Start the server whenever it dies. Of several processes that see it, one starts it, and the others wait."""
    while not ending.wait(LOOK_SECONDS):
        try:
            if server.has_died():
                log.error("The embedded PostgreSQL has died. It is being started again")
                with server.starting():
                    if server.has_died():
                        server.ready()
        except (EmbeddedServerError, OSError, psycopg.Error) as error:
            log.error("The embedded PostgreSQL can't be started, and will be tried again: %s", error)  # noqa: TRY400 - it says all
            ending.wait(PAUSE_SECONDS)


class Server:
    """The server of one data directory. Call `ready` and `stop` only while `starting`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.pgdata = data_dir / "pgdata"
        self.log = data_dir / "postgresql.log"
        self.programs = Programs(data_dir)
        self._make_data_dir()

    def open_lock(self, name: str) -> FileIO:
        """Open a file of the directory, to be locked or written."""
        return FileIO(os.open(self.data_dir / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Be the only process that sets up, starts or stops the server, while the block runs."""
        with self.open_lock("starting.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ready(self) -> str:
        """Return how to connect, once the server answers and has Rollcall's database."""
        self._set_up()
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._start_unless_alive()
            try:
                conninfo = self._conninfo()
                connection = psycopg.connect(conninfo, dbname="postgres", autocommit=True, connect_timeout=10)
                break
            except (psycopg.OperationalError, FileNotFoundError, _NotReady) as error:
                if time.monotonic() > deadline:
                    raise self._failure(f"it does not respond: {error}") from error
            time.sleep(POLL_SECONDS)
        with connection:
            self._create_database(connection)
        return conninfo

    def has_died(self) -> bool:
        """Return whether the server ended without being stopped: a server that is stopped removes its pid file."""
        if not (self.pgdata / "postmaster.pid").exists() or self._is_run_by_hand():
            return False
        with self.open_lock("server.lock") as alive:
            return _is_free(alive, fcntl.LOCK_SH)

    def stop(self) -> None:
        """Stop the server, if it is running."""
        with self.open_lock("server.lock") as alive:
            deadline = time.monotonic() + STOP_SECONDS
            while not _locked_alone(alive):
                stopping = self.programs.run("pg_ctl", "stop", *IN_PGDATA, "-m", "fast", "-t", "5")
                if time.monotonic() > deadline:
                    raise self._failure(f"it does not stop: {stopping.stderr}")
                time.sleep(POLL_SECONDS)

    def _make_data_dir(self) -> None:
        """Create the directory and its missing parents, open to the server's account. Leave existing ones alone."""
        path = [*reversed(self.data_dir.parents), self.data_dir]
        self.programs.refuse_closed([directory for directory in path if directory.exists()])
        for missing in [directory for directory in path if not directory.exists()]:
            with suppress(FileExistsError):
                missing.mkdir()
                if self.programs.account:
                    missing.chmod(0o711 if missing == self.data_dir else 0o755)
                elif missing == self.data_dir:
                    missing.chmod(0o700)
        found = self.data_dir.stat()
        if found.st_uid != os.geteuid() or found.st_mode & stat.S_IWOTH:
            raise EmbeddedServerError(
                reason=f"{self.data_dir} belongs to user {found.st_uid} and has mode {found.st_mode & 0o7777:o}."
                f" ROLLCALL_DATA_DIR must belong to the user who runs Rollcall ({os.geteuid()}), and only that user may"
                " have write access"
            )

    def _set_up(self) -> None:
        """Create the database cluster under another name and then rename it, so that it is never half set up."""
        for leftover in self.data_dir.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self.pgdata.exists():
            self._refuse_other_version()
            return
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.data_dir))
        if self.programs.account:
            os.chown(unfinished, *self.programs.account)
        setting_up = self.programs.run("initdb", *INITDB, "-D", str(unfinished))
        if setting_up.returncode:
            raise EmbeddedServerError(reason=f"setting up {self.pgdata} failed: {setting_up.stderr}")
        move(unfinished, self.pgdata)

    def _refuse_other_version(self) -> None:
        found = (self.pgdata / "PG_VERSION").read_text().strip()
        if found != str(MAJOR_VERSION):
            raise EmbeddedServerError(
                reason=f"{self.pgdata} was created by PostgreSQL {found}, and this is PostgreSQL {MAJOR_VERSION}."
                " Set ROLLCALL_DATA_DIR to another directory. To keep the data, export it with pg_dump and the release"
                " of Rollcall that created it, and import it with psql and this release"
            )

    def _start_unless_alive(self) -> None:
        with self.open_lock("server.lock") as alive:
            if not _locked_alone(alive) or self._is_run_by_hand():
                return
            sockets = self._socket_directory()
            _forget_reused_pid(self.pgdata / "postmaster.pid")
            _forget_reused_pid(sockets / f".s.PGSQL.{PORT}.lock")
            self._open_log()
            settings = {**SERVER_SETTINGS, "unix_socket_directories": str(sockets)}
            starting = self.programs.run(
                *("pg_ctl", "start", *IN_PGDATA, "-l", self.log.name, "-t", str(START_SECONDS)),
                *("-o", shlex.join(f"--{name}={value}" for name, value in settings.items())),
                pass_fds=(alive.fileno(),),
            )
        if starting.returncode:
            raise self._failure(f"it does not start: {starting.stderr}")

    def _is_run_by_hand(self) -> bool:
        """Return whether a server that was started by hand runs here. It is used, and left running."""
        with suppress(OSError, ValueError, IndexError):
            return Path(f"/proc/{_pid(self.pgdata / 'postmaster.pid')}/cwd").readlink() == self.pgdata
        return False

    def _conninfo(self) -> str:
        """Return how to connect, as the server states it; raises FileNotFoundError or _NotReady until it does."""
        says = (self.pgdata / "postmaster.pid").read_text().splitlines()
        if len(says) < 5 or not Path(says[4]).is_absolute():  # noqa: PLR2004  # the socket's directory is on the fifth line
            raise _NotReady  # without a host, libpq would connect to this machine's default server
        return make_conninfo(host=says[4], port=says[3], user="postgres", dbname=DATABASE)

    def _create_database(self, connection: psycopg.Connection) -> None:
        """Create Rollcall's database if it is missing; raises if the server belongs to another directory."""
        ours = "SELECT current_setting('data_directory'), EXISTS (SELECT FROM pg_database WHERE datname = %s)"
        directory, exists = connection.execute(ours, (DATABASE,)).fetchall()[0]
        if Path(directory) != self.pgdata:
            raise EmbeddedServerError(reason=f"another server responds in its place, that of {directory}")
        if not exists:
            # The server may still be creating it for a process that was killed.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(DATABASE)))

    def _socket_directory(self) -> Path:
        """Return a directory that only the server's account can enter, with a path short enough for a socket."""
        directory = self.data_dir / "socket"
        if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) > LONGEST_SOCKET or set(',"') & set(str(directory)):
            digest = sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
            directory = Path(tempfile.gettempdir(), f"rollcall-{digest}")
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        if self.programs.account and directory.lstat().st_uid == 0:
            os.chown(directory, *self.programs.account, follow_symlinks=False)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.programs.uid or found.st_mode & 0o077:
            raise EmbeddedServerError(
                reason=f"{directory} is not a private directory of user {self.programs.uid}. Remove it and try again"
            )
        return directory

    def _open_log(self) -> None:
        with self.open_lock(self.log.name) as log:
            if self.programs.account:
                os.fchown(log.fileno(), *self.programs.account)
            if log.seek(0, os.SEEK_END) > LOG_BYTES:
                log.truncate(0)

    def _failure(self, what: str) -> EmbeddedServerError:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return EmbeddedServerError(
            reason=f"{what.strip()}. The end of its log, {self.log}: {' | '.join(lines[-LOG_LINES:])}"
        )


class _NotReady(Exception):
    """The server has not stated yet where it listens."""


def _pid(file: Path) -> int:
    return abs(int(file.read_text().split()[0]))


def _forget_reused_pid(file: Path) -> None:
    """Remove a dead server's lock file if it is empty, or if its process id is that of another process or a zombie.

    PostgreSQL itself notices, and repairs or reports, everything else that can be wrong with such a file.
    """
    try:
        stale = Path(f"/proc/{_pid(file)}").exists()
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        stale = True
    if stale:
        file.unlink()


def _locked_alone(file: FileIO) -> bool:
    return _is_free(file, fcntl.LOCK_EX)


def _is_free(file: FileIO, lock: int) -> bool:
    """Return whether the file could be locked like this now; then it is."""
    try:
        fcntl.flock(file, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            reason=f"{error}. ROLLCALL_DATA_DIR must be a directory that you can write to. It is {data_dir}"
        ) from error
    except psycopg.Error as error:
        raise EmbeddedServerError(reason=f"the database “{DATABASE}” could not be created: {error}") from error
