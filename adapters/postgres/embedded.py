"""The embedded server: PostgreSQL from a wheel, for a machine that has none, shared by every process that needs it.

Who does what is settled by `flock`, which the kernel releases however a process ends:

- `in-use.lock` is held, shared, by each use of the server; whoever can get it alone is the last and stops the server.
- `starting.lock` is held, alone, while somebody sets up, starts or stops.
- `server.lock` is inherited by the server's own processes: as long as it is held, one of them is alive.
"""

from __future__ import annotations

import fcntl
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
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.postgres.programs import MAJOR_VERSION, UNFINISHED, EmbeddedServerError, Programs, move

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "rollcall"
PORT = 5432  # a part of the socket's name: nothing listens on the network
LONGEST_SOCKET = 103  # bytes of a socket's path on macOS; Linux takes 107
START_SECONDS = 120  # after a crash, up to `max_wal_size` is read again before the first connection
STOP_SECONDS = 120
POLL_SECONDS = 0.05
LOG_BYTES = 10_000_000
LOG_LINES = 8
IN_PGDATA = ("-D", "pgdata")  # relative: pg_ctl would let a shell expand what is special in the rest of the path
INITDB = (
    *("--username=postgres", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"),
    # Code point order, the same on every machine, whatever its C library thinks of languages.
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
    "log_min_messages": "log",  # what clients got wrong is told to them; here it would keep addresses and names
}


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Yield a libpq connection string to the server that lives in `data_dir`, created and started as needed.

    It is stopped when the last use of it ends, in whichever process. Raises EmbeddedServerError.
    """
    with _explained(data_dir):
        server = _Server(data_dir.resolve())
        use = server.open_lock("in-use.lock")
    with use:
        fcntl.flock(use, fcntl.LOCK_SH)
        try:
            with _explained(data_dir), server.starting():
                conninfo = server.ready()
            yield conninfo
        finally:
            with _explained(data_dir), server.starting():
                if _locked_alone(use):
                    server.stop()


class _Server:
    """One data directory and the server over it. `ready` and `stop` are called while `starting`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.pgdata = data_dir / "pgdata"
        self.log = data_dir / "postgresql.log"
        self.programs = Programs(data_dir)
        self._make_data_dir()

    def open_lock(self, name: str) -> FileIO:
        return FileIO(os.open(self.data_dir / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")

    @contextmanager
    def starting(self) -> Iterator[None]:
        with self.open_lock("starting.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ready(self) -> str:
        """Return how to connect, once the server answers and has our database."""
        self._set_up()
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._start_unless_alive()
            try:
                conninfo = self._conninfo()
                connection = psycopg.connect(conninfo, dbname="postgres", autocommit=True, connect_timeout=10)
                break
            except (psycopg.OperationalError, FileNotFoundError, _NotYet) as error:
                if time.monotonic() > deadline:
                    raise self._failure(f"it does not answer: {error}") from error
            time.sleep(POLL_SECONDS)
        with connection:
            self._create_database(connection)
        return conninfo

    def stop(self) -> None:
        with self.open_lock("server.lock") as alive:
            deadline = time.monotonic() + STOP_SECONDS
            while not _locked_alone(alive):
                stopping = self.programs.run("pg_ctl", "stop", *IN_PGDATA, "-m", "fast", "-t", "5")
                if time.monotonic() > deadline:
                    raise self._failure(f"it does not stop: {stopping.stderr}")
                time.sleep(POLL_SECONDS)

    def _make_data_dir(self) -> None:
        """Make the directory and its missing parents, so that the server's account can pass; widen no other."""
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
                reason=f"{self.data_dir} belongs to user {found.st_uid}, with mode {found.st_mode & 0o7777:o}."
                f" ROLLCALL_DATA_DIR must belong to the user who runs this ({os.geteuid()}), and nobody else may write"
            )

    def _set_up(self) -> None:
        """Set up an empty database cluster, beside its place and then moved there, so that none is ever half set up."""
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
                reason=f"{self.pgdata} was written by PostgreSQL {found}, and this is PostgreSQL {MAJOR_VERSION}. Set"
                " ROLLCALL_DATA_DIR to another directory, or take the data over: pg_dump with the release of Rollcall"
                " that wrote it, then psql with this one"
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
        """Whether somebody else has started a server here: then it is used, and left running."""
        with suppress(OSError, ValueError, IndexError):
            return Path(f"/proc/{_pid(self.pgdata / 'postmaster.pid')}/cwd").readlink() == self.pgdata
        return False

    def _conninfo(self) -> str:
        """Tell where the server says it is; raises FileNotFoundError or _NotYet as long as it does not say so."""
        says = (self.pgdata / "postmaster.pid").read_text().splitlines()
        if len(says) < 5 or not Path(says[4]).is_absolute():  # noqa: PLR2004  # the line of the socket's directory
            raise _NotYet  # without a host, libpq would go to whatever server this machine has by default
        return make_conninfo(host=says[4], port=says[3], user="postgres", dbname=DATABASE)

    def _create_database(self, connection: psycopg.Connection) -> None:
        """Create our database if it is not there, and touch nothing if this is not the server of this directory."""
        ours = "SELECT current_setting('data_directory'), EXISTS (SELECT FROM pg_database WHERE datname = %s)"
        directory, exists = connection.execute(ours, (DATABASE,)).fetchall()[0]
        if Path(directory) != self.pgdata:
            raise EmbeddedServerError(reason=f"another server answers in its place, that of {directory}")
        if not exists:
            # The server may still be creating it for a process that was killed meanwhile.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(DATABASE)))

    def _socket_directory(self) -> Path:
        """Return a directory that only the server's account can enter, its name fit for a socket."""
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
                reason=f"{directory} is not a private directory of user {self.programs.uid}. Remove it"
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
        return EmbeddedServerError(reason=f"{what} Its log, {self.log}, ends: {' | '.join(lines[-LOG_LINES:])}")


class _NotYet(Exception):
    """The server does not say yet where it can be reached."""


def _pid(file: Path) -> int:
    return abs(int(file.read_text().split()[0]))


def _forget_reused_pid(file: Path) -> None:
    """Remove a dead server's lock file if it says nothing, or if its process id is another's by now, or a zombie's.

    Whatever else can be wrong with such a file is seen, and mended or reported, by PostgreSQL itself.
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
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            reason=f"{error}. ROLLCALL_DATA_DIR, now {data_dir}, must be a directory that this user can write to"
        ) from error
    except psycopg.Error as error:
        raise EmbeddedServerError(reason=f"the database “{DATABASE}” cannot be created: {error}") from error
