"""The embedded server, started for real, in data directories that only these tests use."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.postgres import embedded, embedded_programs
from adapters.postgres.embedded import embedded_server
from adapters.postgres.embedded_programs import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 30.0
REPOSITORY = Path(__file__).parents[3]
# Uses the server, prints how to connect, and ends with its standard input.
USER = """
import sys
from pathlib import Path
from adapters.postgres.embedded import embedded_server
with embedded_server(Path(sys.argv[1])) as conninfo:
    print(conninfo, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.slow  # most of these tests set up a server of their own

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account to run PostgreSQL")
with_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="there is no /proc to tell processes apart")


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that the server's account can reach, unlike pytest's, with a path short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="embedded-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        kill_server(made / "data")
        shutil.rmtree(made)


@pytest.fixture
def place() -> Iterator[Path]:
    with directory() as made:
        yield made


@pytest.fixture
def new(place: Path) -> Path:
    """A data directory that doesn't exist yet."""
    return place / "data"


@pytest.fixture(scope="module")
def shared(_no_waiting_for_the_disk: None) -> Iterator[Path]:
    with directory() as made:
        with embedded_server(made / "data"):
            pass
        yield made / "data"


@pytest.fixture
def data_dir(shared: Path) -> Iterator[Path]:
    """A data directory whose server was set up and has stopped. Other tests have used it too."""
    yield shared
    kill_server(shared)


INITDB = embedded.INITDB


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Spare this process's servers the wait for the disk, as no test here turns the machine off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "INITDB", (*INITDB, "--no-sync"))
        patch.setitem(embedded.SERVER_SETTINGS, "fsync", "off")
        yield


def copy_cluster(data_dir: Path, to: Path) -> None:
    """Make another data directory, whose server need not be set up."""
    to.mkdir(parents=True)
    to.chmod(data_dir.stat().st_mode)
    subprocess.run(["/bin/cp", "-a", data_dir / "pgdata", to], check=True)  # noqa: S603  # with owners and modes


def ask(conninfo: str, question: str = "SELECT 'answer'") -> object:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def tell(conninfo: str, statement: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(statement.encode())


def postmaster(data_dir: Path) -> int | None:
    with suppress(OSError, IndexError, ValueError):
        return int((data_dir / "pgdata" / "postmaster.pid").read_text().split()[0])
    return None


def is_alive(data_dir: Path) -> bool:
    """Return whether any process of the server is alive, and so holds this lock."""
    with suppress(FileNotFoundError, NotADirectoryError), (data_dir / "server.lock").open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def responds(conninfo: str) -> bool:
    with suppress(psycopg.OperationalError):
        return ask(conninfo) == "answer"
    return False


def kill_server(data_dir: Path) -> None:
    if is_alive(data_dir) and (pid := postmaster(data_dir)):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(data_dir))


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@contextmanager
def another_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603  # this interpreter
        [sys.executable, "-c", USER, str(data_dir)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.close()
    assert process.wait(DEADLINE) == 0


def test_the_first_use_sets_up_a_server(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "INITDB", INITDB)
    monkeypatch.delitem(embedded.SERVER_SETTINGS, "fsync")
    with embedded_server(new) as conninfo:
        assert ask(conninfo) == "answer"
        assert ask(conninfo, "SHOW server_encoding") == "UTF8"
        assert ask(conninfo, "SHOW fsync") == "on"
        assert ask(conninfo, "SHOW data_checksums") == "on"
        assert ask(conninfo, "SHOW listen_addresses") == ""


def test_text_is_ordered_by_code_point(data_dir: Path) -> None:
    with embedded_server(data_dir) as conninfo:
        ordered = "SELECT string_agg(word, '' ORDER BY word) FROM unnest(ARRAY['b', 'é', 'a', 'B', '-', '😀']) AS word"
        assert ask(conninfo, ordered) == "-Babé😀"
        assert ask(conninfo, "SELECT lower('ÉÇ')") == "éç"


def test_only_this_user_has_access(data_dir: Path) -> None:
    with embedded_server(data_dir):
        assert (data_dir / "pgdata").stat().st_mode & 0o777 == 0o700
        assert (data_dir / "socket").stat().st_mode & 0o777 == 0o700
        assert (data_dir / "postgresql.log").stat().st_mode & 0o777 == 0o600


def test_data_is_kept_when_the_server_stops(data_dir: Path) -> None:
    with embedded_server(data_dir) as conninfo:
        tell(conninfo, "CREATE TABLE kept AS SELECT 42 AS number")
    assert not is_alive(data_dir)
    with embedded_server(data_dir) as conninfo:
        assert ask(conninfo, "SELECT number FROM kept") == 42


def test_users_in_one_process_share_the_server_until_the_last_one_ends(data_dir: Path) -> None:
    with embedded_server(data_dir) as first:
        with embedded_server(data_dir) as second:
            assert first == second
        assert ask(first) == "answer"
    assert not is_alive(data_dir)


def test_a_user_that_fails_stops_the_server_too(data_dir: Path) -> None:
    with pytest.raises(ZeroDivisionError), embedded_server(data_dir):
        raise ZeroDivisionError
    assert not is_alive(data_dir)


def test_processes_share_the_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    with another_process(data_dir) as other:
        with embedded_server(data_dir) as conninfo:
            assert first_line(other) == conninfo
        assert ask(conninfo) == "answer"
        finish(other)
    assert not is_alive(data_dir)


def test_processes_can_start_together_without_a_server(new: Path) -> None:
    with another_process(new) as one, another_process(new) as two, another_process(new) as three:
        conninfo, *others = first_line(one), first_line(two), first_line(three)
        assert others == [conninfo, conninfo]
        assert ask(conninfo) == "answer"
        for process in (one, two, three):
            finish(process)
    assert not is_alive(new)


def test_a_server_whose_user_was_killed_is_used_and_stopped_by_the_next_one(data_dir: Path) -> None:
    with another_process(data_dir) as killed:
        conninfo = first_line(killed)
        killed.kill()
        killed.wait(DEADLINE)
    before = postmaster(data_dir)
    assert ask(conninfo) == "answer"
    with embedded_server(data_dir) as conninfo:
        assert ask(conninfo) == "answer"
        assert postmaster(data_dir) == before
    assert not is_alive(data_dir)


def test_a_user_that_is_killed_during_setup_does_not_block_the_next_one(new: Path) -> None:
    with another_process(new) as killed:
        wait_until(lambda: list(new.glob("unfinished-*/PG_VERSION")))
        killed.kill()
        killed.wait(DEADLINE)
    with embedded_server(new) as conninfo:
        assert ask(conninfo) == "answer"


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with embedded_server(data_dir):
        pid = postmaster(data_dir)
        assert pid
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) == pid


def test_a_killed_server_recovers_on_its_next_use(data_dir: Path) -> None:
    with embedded_server(data_dir) as conninfo:
        tell(conninfo, "CREATE TABLE kept_by_force AS SELECT 42 AS number")
        pid = postmaster(data_dir)
        assert pid
        os.kill(pid, signal.SIGKILL)
        with embedded_server(data_dir) as again:
            assert ask(again, "SELECT number FROM kept_by_force") == 42
            assert postmaster(data_dir) != pid
    assert not is_alive(data_dir)


def test_a_server_that_was_killed_need_not_be_stopped(data_dir: Path) -> None:
    with embedded_server(data_dir):
        pid = postmaster(data_dir)
        assert pid
        os.kill(pid, signal.SIGKILL)
    assert not is_alive(data_dir)


def test_a_server_that_dies_is_started_again_while_it_is_used(data_dir: Path) -> None:
    with embedded_server(data_dir) as conninfo:
        tell(conninfo, "CREATE TABLE kept_meanwhile AS SELECT 42 AS number")
        pid = postmaster(data_dir)
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: postmaster(data_dir) not in (pid, None))
        wait_until(lambda: responds(conninfo))
        assert ask(conninfo, "SELECT number FROM kept_meanwhile") == 42
    assert not is_alive(data_dir)


def test_processes_start_a_server_that_dies_once(data_dir: Path) -> None:
    def starts() -> int:
        return (data_dir / "postgresql.log").read_text().count("starting PostgreSQL")

    with another_process(data_dir) as first, another_process(data_dir) as second, embedded_server(data_dir) as conninfo:
        for process in (first, second):
            assert first_line(process) == conninfo
        before = starts()
        pid = postmaster(data_dir)
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: postmaster(data_dir) not in (pid, None))
        wait_until(lambda: responds(conninfo))
        for process in (first, second):
            finish(process)
        assert ask(conninfo) == "answer"
    assert starts() == before + 1


def test_a_server_that_was_stopped_on_purpose_stays_stopped(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    has_died = embedded.Server.has_died

    def looking(server: embedded.Server) -> bool:
        looks.append(has_died(server))
        return looks[-1]

    monkeypatch.setattr(embedded.Server, "has_died", looking)
    monkeypatch.setattr(embedded, "LOOK_SECONDS", 0.01)
    with embedded_server(data_dir):
        pid = postmaster(data_dir)
        assert pid
        os.kill(pid, signal.SIGINT)  # as pg_ctl stop does
        wait_until(lambda: postmaster(data_dir) is None and not is_alive(data_dir))
        looks.clear()
        wait_until(lambda: len(looks) > 3)
        assert not any(looks)
        assert postmaster(data_dir) is None


@with_proc
@pytest.mark.parametrize("lock", ["pgdata/postmaster.pid", "socket/.s.PGSQL.5432.lock"])
def test_the_process_id_of_a_dead_server_may_belong_to_another_program(data_dir: Path, lock: str) -> None:
    with embedded_server(data_dir):
        left_behind = (data_dir / lock).read_text().splitlines()[1:]
        owner = (data_dir / lock).stat()
    user = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60"], user=user, cwd="/") as other:
        (data_dir / lock).write_text("\n".join((str(other.pid), *left_behind, "")))
        os.chown(data_dir / lock, owner.st_uid, owner.st_gid)  # writing may have changed the owner
        with embedded_server(data_dir) as conninfo:
            assert ask(conninfo) == "answer"
        assert other.poll() is None
        other.kill()


def test_an_empty_pid_file_after_a_power_failure_does_no_harm(data_dir: Path) -> None:
    (data_dir / "pgdata" / "postmaster.pid").touch()
    with embedded_server(data_dir) as conninfo:
        assert ask(conninfo) == "answer"


@with_proc
def test_a_server_that_was_started_by_hand_is_used_and_left_running(data_dir: Path) -> None:
    with embedded_server(data_dir):
        command = Path(f"/proc/{postmaster(data_dir)}/cmdline").read_bytes().decode().split("\0")[:-1]
        owner = (data_dir / "pgdata").stat()
    user = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(command, user=user, cwd=data_dir, stderr=subprocess.DEVNULL) as by_hand:  # noqa: S603  # ours
        wait_until((data_dir / "pgdata" / "postmaster.pid").exists)
        with embedded_server(data_dir) as conninfo:
            assert ask(conninfo, "SELECT pg_postmaster_start_time() IS NOT NULL") is True
            assert postmaster(data_dir) == by_hand.pid
        assert by_hand.poll() is None
        assert ask(conninfo) == "answer"
        by_hand.send_signal(signal.SIGINT)


@contextmanager
def server_that_seems_to_start(data_dir: Path, socket: str) -> Iterator[None]:
    pid_file = data_dir / "pgdata" / "postmaster.pid"
    pid_file.write_text(f"2147483647\n{data_dir}/pgdata\n1\n5432\n{socket}\n")
    with (data_dir / "server.lock").open("r+") as lock, pytest.MonkeyPatch.context() as patience:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patience.setattr(embedded, "START_SECONDS", 0)
        patience.setattr(embedded, "STOP_SECONDS", 0)
        yield
    pid_file.unlink()


def test_rollcall_connects_nowhere_until_the_server_says_where_it_listens(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(conninfo: str, **_: object) -> None:
        pytest.fail(f"connected to {conninfo}, which may be any server on this machine")

    monkeypatch.setattr(psycopg, "connect", connect)
    with (
        server_that_seems_to_start(data_dir, socket=""),
        pytest.raises(EmbeddedServerError) as refusal,
        embedded_server(data_dir),
    ):
        pass
    assert "does not respond" in str(refusal.value.__context__)


def test_the_server_of_another_directory_is_left_alone(data_dir: Path, new: Path) -> None:
    copy_cluster(data_dir, new)
    with embedded_server(new) as other, psycopg.connect(other, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE rollcall")
        with (
            server_that_seems_to_start(data_dir, socket=str(new / "socket")),
            pytest.raises(EmbeddedServerError) as refusal,
            embedded_server(data_dir),
        ):
            pass
        assert f"another server responds in its place, that of {new}" in str(refusal.value.__context__)
        assert not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'rollcall'").fetchall()


def test_a_long_path_gets_a_short_socket(data_dir: Path, place: Path) -> None:
    copy_cluster(data_dir, long := place / ("d" * 100) / "data")
    with embedded_server(long) as conninfo:
        assert ask(conninfo) == "answer"
        (sockets,) = str(ask(conninfo, "SHOW unix_socket_directories")).split(",")
        assert Path(sockets).stat().st_mode & 0o777 == 0o700
    shutil.rmtree(sockets)


def test_a_path_may_contain_special_characters(place: Path) -> None:
    data_dir = place / 'it\'s $HOME, `so` "to\\say"'
    try:
        server = embedded_server(data_dir)
        conninfo = server.__enter__()
    except EmbeddedServerError as refusal:
        pytest.skip(f"the server's account cannot reach the package here, and this path rules out a copy: {refusal}")
    server.__exit__(None, None, None)
    with embedded_server(data_dir) as conninfo:
        assert ask(conninfo) == "answer"
        sockets = Path(str(ask(conninfo, "SHOW unix_socket_directories")))
    assert not is_alive(data_dir)
    shutil.rmtree(sockets)


def test_the_callers_postgres_variables_do_not_reach_the_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "LC_ALL": "xx_XX"}.items():
        monkeypatch.setenv(name, value)
    with embedded_server(data_dir) as conninfo:
        assert ask(conninfo) == "answer"


def test_a_failed_start_is_explained_with_the_end_of_the_log(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded.SERVER_SETTINGS, "no_such_setting", "1")
    with pytest.raises(EmbeddedServerError) as refusal, embedded_server(data_dir):
        pass
    assert str(data_dir / "postgresql.log") in str(refusal.value)
    assert "no_such_setting" in str(refusal.value)


def test_data_of_another_major_version_is_left_alone(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAJOR_VERSION", 19)
    with (
        pytest.raises(EmbeddedServerError, match=r"PostgreSQL 18.*PostgreSQL 19.*ROLLCALL_DATA_DIR"),
        embedded_server(data_dir),
    ):
        pass


def test_a_large_log_is_emptied(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOG_BYTES", 100)
    with embedded_server(data_dir):
        pass
    first = (data_dir / "postgresql.log").read_text()
    with embedded_server(data_dir):
        pass
    assert first not in (data_dir / "postgresql.log").read_text()


def test_the_log_does_not_contain_what_clients_sent(data_dir: Path) -> None:
    with embedded_server(data_dir) as conninfo:
        tell(conninfo, "CREATE TABLE person (email text UNIQUE)")
        insert = "INSERT INTO person VALUES ('ada@example.org')"
        tell(conninfo, insert)
        with pytest.raises(psycopg.errors.UniqueViolation):
            tell(conninfo, insert)
    assert "ada@" not in (data_dir / "postgresql.log").read_text()


def test_a_directory_that_others_can_write_to_is_refused(new: Path) -> None:
    new.mkdir()
    new.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match="only that user may have write access"), embedded_server(new):
        pass
    assert new.stat().st_mode & 0o777 == 0o777


def test_a_file_in_place_of_the_directory_is_refused(new: Path) -> None:
    new.touch()
    with pytest.raises(EmbeddedServerError, match="ROLLCALL_DATA_DIR"), embedded_server(new):
        pass


def test_new_directories_can_be_entered_whatever_the_umask(place: Path) -> None:
    before = os.umask(0o077)
    try:
        with embedded_server(place / "made" / "data") as conninfo:
            assert ask(conninfo) == "answer"
    finally:
        os.umask(before)


@as_root
def test_a_private_parent_directory_is_refused_and_stays_private(place: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    with (
        pytest.raises(EmbeddedServerError, match=rf"cannot enter {private}.*ROLLCALL_DATA_DIR"),
        embedded_server(private / "made" / "data"),
    ):
        pass
    assert private.stat().st_mode & 0o777 == 0o700
    assert not list(private.iterdir())


@as_root
def test_the_package_may_be_where_only_root_can_reach_it(
    place: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = find_spec(embedded_programs.PACKAGE)
    assert package
    assert package.origin
    site_packages = place / "private" / "site-packages"
    site_packages.parent.mkdir(mode=0o700)
    for installed in Path(package.origin).parents[1].glob(f"{embedded_programs.PACKAGE}*"):
        shutil.copytree(installed, site_packages / installed.name, ignore=shutil.ignore_patterns("pginstall", "*.a"))
    monkeypatch.syspath_prepend(str(site_packages))
    for _ in range(2):
        with embedded_server(data_dir) as conninfo:
            assert ask(conninfo) == "answer"
            program = Path(f"/proc/{postmaster(data_dir)}/exe").readlink()
            assert program.is_relative_to(data_dir)
        assert not list(data_dir.glob("unfinished-*"))
    assert site_packages.parent.stat().st_mode & 0o777 == 0o700


@as_root
def test_another_account_has_no_access(data_dir: Path) -> None:
    with embedded_server(data_dir):
        socket = data_dir / "socket" / ".s.PGSQL.5432"
        script = f"import socket; socket.socket(socket.AF_UNIX).connect({str(socket)!r})"
        refused = subprocess.run(  # noqa: S603  # the script is the one above
            ["/usr/bin/env", "python3", "-c", script],
            user=65534,
            group=65534,
            extra_groups=(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Permission denied" in refused.stderr


# Creates the account, in several processes together, as on a new machine.
CREATOR = """
import sys
from adapters.postgres import embedded_programs
embedded_programs.SYSTEM_USER = sys.argv[1]
sys.stdin.read()
print(embedded_programs.account_for_root().uid)
"""


@as_root
def test_processes_that_create_the_account_together_agree_on_it() -> None:
    name = f"rollcall-{os.getpid()}"
    creators = [
        subprocess.Popen(  # noqa: S603  # the script is the one above
            (sys.executable, "-c", CREATOR, name),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    try:
        for each in creators:
            assert each.stdin is not None
            each.stdin.close()  # all have started, and begin now
            each.stdin = None
        outputs = [each.communicate(timeout=DEADLINE) for each in creators]
    finally:
        subprocess.run(["/usr/bin/env", "userdel", name], check=False, capture_output=True)  # noqa: S603  # ours
    assert {errors for _, errors in outputs} == {""}
    assert len({uid for uid, _ in outputs}) == 1
