"""The environment variables that configure Rollcall: one table, and the functions that parse their values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from domain.signed_note import VerifierKey, parse_verifier_key

PREFIX = "ROLLCALL_"
SYSTEM_DATA_DIR = Path("/var/lib/rollcall")
MOST_DAYS = 36_500
DAYS = "a whole number of days from 1 to 36_500"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})


class Variable(Struct, frozen=True):
    """One variable, named without the prefix. `parse` raises ValueError unless the value is as `expected`."""

    name: str
    meaning: str
    default: str
    expected: str
    parse: Callable[[str], object]
    when_unset: Callable[[Mapping[str, str]], object]
    secret: bool = False

    def read(self, environ: Mapping[str, str]) -> object:
        """Return the value, from the environment or from the file named by `…_FILE`; raises ValueError."""
        name = PREFIX + self.name
        file = f"{name}_FILE"
        if name in environ and file in environ:
            raise ValueError(f"{name} and {file} are both set. Set only one of them.")
        if file in environ:
            return self._parse(file, _content(file, environ[file]))
        if name in environ:
            return self._parse(name, environ[name])
        return self.when_unset(environ)

    def _parse(self, source: str, text: str) -> object:
        try:
            return self.parse(text)
        except ValueError:
            found = "is not valid (its value is not shown)" if self.secret else f"is {text[:80]!r}"
            raise ValueError(f"{source} {found}. It must be {self.expected}.") from None


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{variable} is {path!r}, a file that cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{variable} is {path!r}, a file that is not UTF-8 text.") from None


def _database_url(text: str) -> str:
    try:
        parts = conninfo_to_dict(text)
    except ProgrammingError:  # its message would quote the secret
        parts = {}
    if not parts:
        raise ValueError
    return text


def _schema(text: str) -> str:
    if not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,39}", text) or text == "information_schema":
        raise ValueError
    return text


def _origin(text: str) -> str:
    """Return a URL without a path, as browsers write an origin. Only loopback may do without https."""
    url = urlsplit(_url(text).rstrip("/").lower())
    if url.path or url.username is not None:
        raise ValueError
    default_port = {"https": ":443", "http": ":80"}[url.scheme]  # browsers leave it out of Host and Origin
    return f"{url.scheme}://{url.netloc.removesuffix(default_port)}"


def _url(text: str) -> str:
    url = urlsplit(text)
    plain = not url.query and not url.fragment and text.isascii() and text.isprintable() and " " not in text
    secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK_NAMES)
    if not url.hostname or not plain or not secure or url.port == 0:
        raise ValueError
    return text


def _networks(text: str) -> str:
    """Check a list of networks and return it as it is."""
    for each in text.split(","):
        ip_network(each.strip())
    return text


def _signing_keys(text: str) -> tuple[str, ...]:
    """Check the keys that sign checkpoints, of one name, and return them as they are."""
    from adapters.checkpoint_keys import SigningKey  # late: few processes sign, and OpenSSL takes long to load

    keys = tuple(each.strip() for each in text.split(","))
    if len({SigningKey.parse(each).verifier.name for each in keys}) != 1:
        raise ValueError
    return keys


def _verifier_keys(text: str) -> tuple[VerifierKey, ...]:
    return tuple(parse_verifier_key(each.strip()) for each in text.split(","))


def _domains(text: str) -> tuple[str, ...]:
    """Return a list of domains, of letters from a to z, digits, hyphens and dots, in lower case."""
    domains = [each.strip().lower().removeprefix("*").removeprefix(".") for each in text.split(",")]
    if not all(re.fullmatch(r"(?:[a-z0-9]+(?:-+[a-z0-9]+)*\.)*[a-z][a-z0-9-]*[a-z0-9]", each) for each in domains):
        raise ValueError
    return tuple(sorted(set(domains)))


def _printable(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError
    return text


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError
    return path


def _user_data_dir(environ: Mapping[str, str]) -> Path:
    """Return this user's data directory (XDG Base Directory Specification, which ignores relative paths)."""
    if os.geteuid() == 0:
        return SYSTEM_DATA_DIR
    for name, below in (("XDG_DATA_HOME", "rollcall"), ("HOME", ".local/share/rollcall")):
        if (base := Path(environ.get(name, ""))).is_absolute():
            return base / below
    return SYSTEM_DATA_DIR


def _days(text: str) -> int:
    if not 1 <= (days := int(text)) <= MOST_DAYS:
        raise ValueError
    return days


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
        meaning="The database schema that holds all tables.",
        default="rollcall",
        expected="1 to 40 lower-case letters, digits and underscores, not starting with a digit or pg_",
        parse=_schema,
        when_unset=lambda _: "rollcall",
    ),
    Variable(
        name="DATA_DIR",
        meaning="The directory of the embedded server.",
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
        "The number of database connections that a process shares between its requests. It may open as many again for"
        " locks, and a worker opens about a dozen more.",
    ),
    _number("WORKER_COMMITS", 4, 1, 64, "The number of commits that a worker runs side by side."),
    _number("LIMIT_FILE_BYTES", 100_000_000, 1_000, 10_000_000_000, "The maximum size of a file, in bytes."),
    _number("LIMIT_ROWS", 1_000_000, 1, 100_000_000, "The maximum number of rows in a file, without its header."),
    _number("LIMIT_COLUMNS", 10_000, 4, 1_000_000, "The maximum number of columns in a file."),
    _number("LIMIT_CELL_BYTES", 65_536, 1_024, 16_777_216, "The maximum size of a cell, in bytes."),
    _number(
        "LIMIT_READER_BYTES",
        2_000_000_000,
        100_000_000,
        1_000_000_000_000,
        "The memory that reading one file may take, in bytes. A file of 1,000,000 groups takes about 1_000_000_000.",
    ),
    Variable(
        name="PRIVATE_DOMAINS",
        meaning="Domains of your own network that e-mail addresses may have, such as `local`, separated by commas.",
        default="none",
        expected="a list of domains such as local or corp.internal, separated by commas",
        parse=_domains,
        when_unset=lambda _: (),
    ),
    Variable(
        name="PUBLIC_URL",
        meaning="The address at which browsers and programs reach the server. Required to serve beyond loopback.",
        default="none",
        expected="https://HOST, with a port if needed and without a path (http:// for loopback only)",
        parse=_origin,
        when_unset=lambda _: None,
    ),
    Variable(
        name="TRUSTED_PROXIES",
        meaning="The reverse proxies whose X-Forwarded-For header is trusted, as networks separated by commas.",
        default="none",
        expected="a list of addresses or networks such as 10.0.0.0/8, separated by commas",
        parse=_networks,
        when_unset=lambda _: "",
    ),
    Variable(
        name="OIDC_ISSUER",
        meaning="The OpenID Connect provider that people sign in with.",
        default="none: sign-in links only",
        expected="the issuer as the provider states it: https://HOST/… (http:// for loopback only)",
        parse=_url,
        when_unset=lambda _: None,
    ),
    Variable(
        name="OIDC_CLIENT_ID",
        meaning="The client id of Rollcall at the provider. The redirect URI is PUBLIC_URL/sign-in/oidc/callback.",
        default="none",
        expected="the client id from the provider",
        parse=_printable,
        when_unset=lambda _: None,
    ),
    Variable(
        name="OIDC_CLIENT_SECRET",
        meaning="The client secret of Rollcall at the provider. Leave it unset for a public client.",
        default="none",
        expected="the client secret from the provider",
        parse=_printable,
        when_unset=lambda _: None,
        secret=True,
    ),
    Variable(
        name="OIDC_TRUST_EMAIL",
        meaning="Whether you vouch for the provider's e-mail addresses if it doesn't say that it has verified them.",
        default="false",
        expected="true or false",
        parse=_switch,
        when_unset=lambda _: False,
    ),
    _number("SESSION_IDLE_MINUTES", 30, 2, 1_440, "The number of minutes without use after which a session ends."),
    _number("SESSION_HOURS", 12, 1, 168, "The number of hours after which a session ends in any case."),
    _number("LIMIT_SIGN_INS", 20, 1, 10_000, "The number of times a client may try to sign in within ten minutes."),
    _number("LIMIT_REQUESTS", 1_200, 10, 10_000_000, "The number of requests per minute with one token or session."),
    _number("LIMIT_UPLOADS", 4, 1, 1_000, "The number of uploads that a subscription may have in progress at once."),
    Variable(
        name="CHECKPOINT_KEY",
        meaning="The private key that signs checkpoints of the log, from `rollcall audit key`. Workers need it, and web"
        " processes for evidence. While you replace a key, give the new and the old one, separated by a comma. See"
        " auditing.md.",
        default="none: no checkpoints",
        expected="a private key as “rollcall audit key” prints it, or several of the same name separated by commas",
        parse=_signing_keys,
        when_unset=lambda _: (),
        secret=True,
    ),
    Variable(
        name="CHECKPOINT_KNOWN_KEYS",
        meaning="The public keys of earlier keys that signed checkpoints, separated by commas.",
        default="none",
        expected="public keys as “rollcall audit key” prints them, separated by commas",
        parse=_verifier_keys,
        when_unset=lambda _: (),
    ),
    _number(
        "CHECKPOINT_EPOCH",
        1,
        1,
        1_000_000,
        "The number of the log's epoch. Increase it by one after you have restored the database to an earlier state.",
    ),
    Variable(
        name="CHECKPOINT_DIR",
        meaning="A folder for the checkpoints that whoever can write to the database can't write to.",
        default="none",
        expected="an absolute path",
        parse=_directory,
        when_unset=lambda _: None,
    ),
    Variable(
        name="CHECKPOINT_URL",
        meaning="A URL that each checkpoint is posted to, as text.",
        default="none",
        expected="https://HOST/… (http:// for loopback only)",
        parse=_url,
        when_unset=lambda _: None,
    ),
    Variable(
        name="RETENTION_DAYS",
        meaning="The number of days that the file of an import is kept after its last change. See forgetting.md.",
        default="none: kept for ever",
        expected=DAYS,
        parse=_days,
        when_unset=lambda _: None,
    ),
    Variable(
        name="RETENTION_UNUSED_DAYS",
        meaning="The same for the files of rejected and discarded imports, and for licence files after their upload.",
        default="that of RETENTION_DAYS",
        expected=DAYS,
        parse=_days,
        when_unset=lambda _: None,
    ),
    _number(
        "LIMIT_FOLLOWERS", 20, 1, 100_000, "The number of requests that a token or person may have waiting for news."
    ),
)
