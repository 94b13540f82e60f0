"""The environment, read once into one Settings struct. The table VARIABLES says everything there is to know."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from domain.errors import RollcallError
from domain.roster import Limits

PREFIX = "ROLLCALL_"
SYSTEM_DATA_DIR = Path("/var/lib/rollcall")
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})
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


class Oidc(Struct, frozen=True):
    """The OpenID Connect provider by which people sign in, and what we are to it."""

    issuer: str
    client_id: str
    client_secret: str | None

    def __repr__(self) -> str:
        """Tell nobody the secret."""
        return f"Oidc({self.issuer}, {self.client_id})"


class Lifetimes(Struct, frozen=True):
    """How long a session may rest unused, and how long it lasts however much it is used."""

    idle: timedelta
    absolute: timedelta


class Rates(Struct, frozen=True):
    """How much a process takes: sign-ins of a client in ten minutes, requests of a token in one, uploads at once."""

    sign_ins: int
    requests: int
    uploads: int


class Settings(Struct, frozen=True):
    """How this process is to run."""

    database_url: str | None
    database_schema: str
    data_dir: Path
    pool_size: int
    worker_commits: int
    limits: Limits
    public_url: str | None
    trusted_proxies: str
    oidc: Oidc | None
    sign_ins: Lifetimes
    rates: Rates

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
    if not problems:
        problems.extend(_incomplete(values))
    if problems:
        raise SettingsError(problems)
    return Settings(
        database_url=values["DATABASE_URL"],
        database_schema=values["DATABASE_SCHEMA"],
        data_dir=values["DATA_DIR"],
        pool_size=values["POOL_SIZE"],
        worker_commits=values["WORKER_COMMITS"],
        limits=Limits(
            file_bytes=values["LIMIT_FILE_BYTES"],
            rows=values["LIMIT_ROWS"],
            columns=values["LIMIT_COLUMNS"],
            cell_bytes=values["LIMIT_CELL_BYTES"],
        ),
        public_url=values["PUBLIC_URL"],
        trusted_proxies=values["TRUSTED_PROXIES"],
        oidc=_oidc(values),
        sign_ins=Lifetimes(
            idle=timedelta(minutes=values["SESSION_IDLE_MINUTES"]),
            absolute=timedelta(hours=values["SESSION_HOURS"]),
        ),
        rates=Rates(
            sign_ins=values["LIMIT_SIGN_INS"],
            requests=values["LIMIT_REQUESTS"],
            uploads=values["LIMIT_UPLOADS"],
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


def _incomplete(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with settings that are right one by one."""
    if (values["OIDC_ISSUER"] is None) != (values["OIDC_CLIENT_ID"] is None):
        yield f"{PREFIX}OIDC_ISSUER and {PREFIX}OIDC_CLIENT_ID belong together: give both, or neither."
    elif values["OIDC_CLIENT_SECRET"] and values["OIDC_ISSUER"] is None:
        yield f"{PREFIX}OIDC_CLIENT_SECRET is of no use without {PREFIX}OIDC_ISSUER: give that too."


def _oidc(values: Mapping[str, Any]) -> Oidc | None:
    issuer = values["OIDC_ISSUER"]
    return Oidc(issuer, values["OIDC_CLIENT_ID"], values["OIDC_CLIENT_SECRET"]) if issuer else None


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


def _origin(text: str) -> str:
    """Return an address without a path; only on the machine itself may it do without https."""
    url = urlsplit(_url(text).rstrip("/").lower())
    if url.path or url.username is not None:
        raise ValueError
    usual = {"https": ":443", "http": ":80"}[url.scheme]  # which browsers leave out of Host and Origin
    return f"{url.scheme}://{url.netloc.removesuffix(usual)}"


def _url(text: str) -> str:
    url = urlsplit(text)
    plain = not url.query and not url.fragment and text.isascii() and text.isprintable() and " " not in text
    secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK_NAMES)
    if not url.hostname or not plain or not secure or url.port == 0:
        raise ValueError
    return text


def _networks(text: str) -> str:
    """Return a list of networks as it is given."""
    for each in text.split(","):
        ip_network(each.strip())
    return text


def _words(text: str) -> str:
    if not text or not text.isprintable():
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
    _number(
        "POOL_SIZE",
        10,
        4,
        200,
        "Connections of one process for short work, and as many at most to wait in turn; a worker has a dozen more.",
    ),
    _number("WORKER_COMMITS", 4, 1, 64, "Commits that one worker runs side by side."),
    _number("LIMIT_FILE_BYTES", 100_000_000, 1_000, 10_000_000_000, "Size of a file at most, in bytes."),
    _number("LIMIT_ROWS", 1_000_000, 1, 100_000_000, "Rows of a file at most, without its header."),
    _number("LIMIT_COLUMNS", 10_000, 4, 1_000_000, "Columns of a file at most."),
    _number("LIMIT_CELL_BYTES", 65_536, 1_024, 16_777_216, "Size of one cell at most, in bytes."),
    Variable(
        name="PUBLIC_URL",
        meaning="The address by which browsers and programs reach the server; needed to serve beyond loopback.",
        default="none",
        expected="https://HOST, with a port if need be and without a path (http:// only for loopback)",
        parse=_origin,
        when_unset=lambda _: None,
    ),
    Variable(
        name="TRUSTED_PROXIES",
        meaning="The proxies in front, as networks with commas between: their X-Forwarded-For tells the client.",
        default="none",
        expected="addresses or networks such as 10.0.0.0/8, with commas between",
        parse=_networks,
        when_unset=lambda _: "",
    ),
    Variable(
        name="OIDC_ISSUER",
        meaning="The OpenID Connect provider by which people sign in.",
        default="none: sign-in links alone",
        expected="the issuer as the provider tells it: https://HOST/… (http:// only for loopback)",
        parse=_url,
        when_unset=lambda _: None,
    ),
    Variable(
        name="OIDC_CLIENT_ID",
        meaning="What the provider calls Rollcall; its redirect URI is PUBLIC_URL with /sign-in/oidc/callback.",
        default="none",
        expected="the client id that the provider gave",
        parse=_words,
        when_unset=lambda _: None,
    ),
    Variable(
        name="OIDC_CLIENT_SECRET",
        meaning="The secret that the provider gave to Rollcall, unless it is a public client.",
        default="none",
        expected="the client secret that the provider gave",
        parse=_words,
        when_unset=lambda _: None,
        secret=True,
    ),
    _number("SESSION_IDLE_MINUTES", 30, 2, 1_440, "Minutes after which a session ends that nobody uses."),
    _number("SESSION_HOURS", 12, 1, 168, "Hours after which a session ends in any case."),
    _number("LIMIT_SIGN_INS", 20, 1, 10_000, "Sign-ins that one client may attempt in ten minutes."),
    _number("LIMIT_REQUESTS", 1_200, 10, 10_000_000, "Requests of one token or session in a minute."),
    _number("LIMIT_UPLOADS", 4, 1, 1_000, "Uploads of one subscription at once."),
)
