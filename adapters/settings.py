"""The environment, read once into one Settings struct. The table VARIABLES says everything there is to know."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from domain.errors import RollcallError
from domain.roster import Limits

PREFIX = "ROLLCALL_"
SYSTEM_DATA_DIR = Path("/var/lib/rollcall")
# Ours but not settings; and what Kubernetes sets by itself in the pods beside a service that is called "rollcall".
IGNORED = re.compile(r"TEST_.*|SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_.*")


class SettingsError(RollcallError):
    """Rollcall cannot run with these settings."""

    code = "settings"

    def __init__(self, problems: list[str]) -> None:
        """Take one sentence a problem."""
        super().__init__(problems=problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join((super().__str__(), *self.problems))


class Settings(Struct, frozen=True):
    """How this process is to run."""

    database_url: str | None
    database_schema: str
    data_dir: Path
    pool_size: int
    worker_sessions: int
    limits: Limits

    def __repr__(self) -> str:
        """Tell nobody the password."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "database_url"}
        return f"Settings(database_url={'…' if self.database_url else None}, {shown})"


class Variable(Struct, frozen=True):
    """One setting, named without the prefix: `parse` raises ValueError for what is not as `expected`."""

    name: str
    meaning: str
    default: str
    expected: str
    parse: Callable[[str], object]
    when_unset: Callable[[Mapping[str, str]], object]
    secret: bool = False

    def read(self, environ: Mapping[str, str]) -> object:
        """Return the setting's value, from the environment or from a file that it names; raises ValueError."""
        name = PREFIX + self.name
        file = f"{name}_FILE"
        if name in environ and file in environ:
            raise ValueError(f"{name} and {file} are both given: give one of them.")
        if file in environ:
            return self._parse(file, _content(file, environ[file]))
        if name in environ:
            return self._parse(name, environ[name])
        return self.when_unset(environ)

    def _parse(self, source: str, text: str) -> object:
        try:
            return self.parse(text)
        except ValueError:
            found = "cannot be used (its value is not shown)" if self.secret else f"is {text[:80]!r}"
            raise ValueError(f"{source} {found}: it must be {self.expected}.") from None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that the environment gives; raises SettingsError, which names everything that is wrong."""
    problems = list(_unknown(environ))
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        try:
            values[variable.name] = variable.read(environ)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError(problems)
    return Settings(
        database_url=values["DATABASE_URL"],
        database_schema=values["DATABASE_SCHEMA"],
        data_dir=values["DATA_DIR"],
        pool_size=values["POOL_SIZE"],
        worker_sessions=values["WORKER_SESSIONS"],
        limits=Limits(
            file_bytes=values["LIMIT_FILE_BYTES"],
            rows=values["LIMIT_ROWS"],
            columns=values["LIMIT_COLUMNS"],
            cell_bytes=values["LIMIT_CELL_BYTES"],
        ),
    )


def describe() -> Iterator[tuple[str, str, str]]:
    """Yield each variable's name, default and meaning, as the README tells them."""
    for variable in VARIABLES:
        yield PREFIX + variable.name, variable.default, variable.meaning


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = [variable.name + suffix for variable in VARIABLES for suffix in ("", "_FILE")]
    for name in sorted(environ):
        own = name.removeprefix(PREFIX)
        if own != name and own not in known and not IGNORED.fullmatch(own):
            similar = get_close_matches(own.upper(), known, n=1)
            yield f"{name} is no setting." + (f" Is {PREFIX}{similar[0]} meant?" if similar else "")


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{variable} names {path!r}, which cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{variable} names {path!r}, which is not text in UTF-8.") from None


def _database_url(text: str) -> str:
    try:
        given = conninfo_to_dict(text)
    except ProgrammingError:  # its message would quote from the secret
        given = {}
    if not given:
        raise ValueError
    return text


def _schema(text: str) -> str:
    if not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,39}", text) or text == "information_schema":
        raise ValueError
    return text


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError
    return path


def _user_data_dir(environ: Mapping[str, str]) -> Path:
    """Return where this user's data lives (XDG Base Directory Specification: a relative path there is ignored)."""
    if os.geteuid() == 0:
        return SYSTEM_DATA_DIR
    for name, below in (("XDG_DATA_HOME", "rollcall"), ("HOME", ".local/share/rollcall")):
        if (base := Path(environ.get(name, ""))).is_absolute():
            return base / below
    return SYSTEM_DATA_DIR


def _number(name: str, default: int, least: int, most: int, meaning: str) -> Variable:
    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    expected = f"a whole number from {least:_} to {most:_}"
    return Variable(name, meaning, f"{default:_}", expected, parse, when_unset=lambda _: default)


VARIABLES = (
    Variable(
        name="DATABASE_URL",
        meaning="The PostgreSQL server to use, as a URL or a libpq connection string.",
        default="the embedded server",
        expected="postgresql://USER:PASSWORD@HOST:PORT/DATABASE or a libpq connection string (host=… dbname=…)",
        parse=_database_url,
        when_unset=lambda _: None,
        secret=True,
    ),
    Variable(
        name="DATABASE_SCHEMA",
        meaning="The schema of that database in which all tables live.",
        default="rollcall",
        expected="at most 40 lower-case letters, digits and underscores, beginning with no digit and not with pg_",
        parse=_schema,
        when_unset=lambda _: "rollcall",
    ),
    Variable(
        name="DATA_DIR",
        meaning="Where the embedded server lives.",
        default="/var/lib/rollcall as root, else ~/.local/share/rollcall",
        expected="an absolute path",
        parse=_directory,
        when_unset=_user_data_dir,
    ),
    _number("POOL_SIZE", 10, 4, 200, "Connections that one process keeps for short work; a worker has a dozen more."),
    _number("WORKER_SESSIONS", 4, 1, 64, "Commits that one worker runs side by side."),
    _number("LIMIT_FILE_BYTES", 100_000_000, 1_000, 10_000_000_000, "Size of a file at most, in bytes."),
    _number("LIMIT_ROWS", 1_000_000, 1, 100_000_000, "Rows of a file at most, without its header."),
    _number("LIMIT_COLUMNS", 10_000, 4, 1_000_000, "Columns of a file at most."),
    _number("LIMIT_CELL_BYTES", 65_536, 1_024, 16_777_216, "Size of one cell at most, in bytes."),
)
