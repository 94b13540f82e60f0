"""The environment, read once into one Settings struct. The variables are described in adapters/variables.py."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from adapters.variables import PREFIX, VARIABLES
from domain.addresses import PrivateDomains
from domain.errors import RollcallError
from domain.retention import Retention
from domain.roster import Limits
from domain.signed_note import VerifierKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from adapters.checkpoint_keys import SigningKey

# Ours but not settings, and what Kubernetes sets in the pods beside a service called "rollcall".
IGNORED = re.compile(r"TEST_.*|SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_.*")


class SettingsError(RollcallError):
    """Rollcall cannot start with these settings."""

    code = "settings"

    def __init__(self, problems: list[str]) -> None:
        """Take one sentence per problem."""
        super().__init__(problems=problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join((super().__str__(), *self.problems))


class Oidc(Struct, frozen=True):
    """The OpenID Connect provider that people sign in with, and Rollcall's account there.

    `trust_email` says that its addresses are verified even if the provider doesn't say so. `private_domains` are those
    that they may have.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    trust_email: bool = False
    private_domains: PrivateDomains = ()

    def __repr__(self) -> str:
        """Leave out the secret."""
        return f"Oidc({self.issuer}, {self.client_id})"


class SignInLifetime(Struct, frozen=True):
    """How long a sign-in lasts without use, and how long it lasts in any case."""

    idle: timedelta
    absolute: timedelta


class Rates(Struct, frozen=True):
    """Sign-ins per client in ten minutes, requests per token in a minute, uploads per subscription at once.

    `followers` are requests of a token or a person that wait for news at once: long polls and streams.
    """

    sign_ins: int
    requests: int
    uploads: int
    followers: int


class CheckpointSettings(Struct, frozen=True):
    """Who signs checkpoints of the log, whose signatures are right besides, and where checkpoints go."""

    secrets: tuple[str, ...] = ()
    known_keys: tuple[VerifierKey, ...] = ()
    epoch: int = 1
    directory: Path | None = None
    url: str | None = None

    def __repr__(self) -> str:
        """Leave out the secrets."""
        return f"CheckpointSettings(epoch={self.epoch}, {self.directory}, {self.url})"

    def signing_keys(self) -> list[SigningKey]:
        """Return the keys that sign."""
        from adapters.checkpoint_keys import SigningKey  # late: few processes sign, and OpenSSL takes long to load

        return [SigningKey.parse(each) for each in self.secrets]

    def verifiers(self) -> list[VerifierKey]:
        """Return the public keys whose signatures are right."""
        return [*(key.verifier for key in self.signing_keys()), *self.known_keys]

    @property
    def origin(self) -> str | None:
        """What the log calls itself in checkpoints: its key's name, with the number of the epoch after the first."""
        keys = self.verifiers()
        if not keys:
            return None
        return keys[0].name if self.epoch == 1 else f"{keys[0].name}/{self.epoch}"


class Settings(Struct, frozen=True):
    """How this process runs."""

    database_url: str | None
    database_schema: str
    data_dir: Path
    pool_size: int
    worker_commits: int
    limits: Limits
    reader_bytes: int
    public_url: str | None
    trusted_proxies: str
    oidc: Oidc | None
    sign_ins: SignInLifetime
    rates: Rates
    checkpoints: CheckpointSettings
    retention: Retention = Retention()

    def __repr__(self) -> str:
        """Leave out the database's password."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "database_url"}
        return f"Settings(database_url={'…' if self.database_url else None}, {shown})"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings from the environment; raises SettingsError, which lists everything that is wrong."""
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
            private_domains=values["PRIVATE_DOMAINS"],
        ),
        reader_bytes=values["LIMIT_READER_BYTES"],
        public_url=values["PUBLIC_URL"],
        trusted_proxies=values["TRUSTED_PROXIES"],
        oidc=_oidc(values),
        sign_ins=SignInLifetime(
            idle=timedelta(minutes=values["SESSION_IDLE_MINUTES"]),
            absolute=timedelta(hours=values["SESSION_HOURS"]),
        ),
        rates=Rates(
            sign_ins=values["LIMIT_SIGN_INS"],
            requests=values["LIMIT_REQUESTS"],
            uploads=values["LIMIT_UPLOADS"],
            followers=values["LIMIT_FOLLOWERS"],
        ),
        checkpoints=CheckpointSettings(
            secrets=values["CHECKPOINT_KEY"],
            known_keys=values["CHECKPOINT_KNOWN_KEYS"],
            epoch=values["CHECKPOINT_EPOCH"],
            directory=values["CHECKPOINT_DIR"],
            url=values["CHECKPOINT_URL"],
        ),
        retention=_retention(values["RETENTION_DAYS"], values["RETENTION_UNUSED_DAYS"]),
    )


def describe() -> Iterator[tuple[str, str, str]]:
    """Yield each variable's name, default and meaning, as the documentation lists them."""
    for variable in VARIABLES:
        yield PREFIX + variable.name, variable.default, variable.meaning


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = [variable.name + suffix for variable in VARIABLES for suffix in ("", "_FILE")]
    for name in sorted(environ):
        own = name.removeprefix(PREFIX)
        if own != name and own not in known and not IGNORED.fullmatch(own):
            similar = get_close_matches(own.upper(), known, n=1)
            yield f"{name} is not a setting." + (f" Did you mean {PREFIX}{similar[0]}?" if similar else "")


def _incomplete(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with settings that are valid one by one."""
    if (values["OIDC_ISSUER"] is None) != (values["OIDC_CLIENT_ID"] is None):
        yield f"{PREFIX}OIDC_ISSUER and {PREFIX}OIDC_CLIENT_ID belong together. Set both or neither."
    elif values["OIDC_CLIENT_SECRET"] and values["OIDC_ISSUER"] is None:
        yield f"{PREFIX}OIDC_CLIENT_SECRET has no effect without {PREFIX}OIDC_ISSUER. Set both or neither."
    elif values["OIDC_TRUST_EMAIL"] and values["OIDC_ISSUER"] is None:
        yield f"{PREFIX}OIDC_TRUST_EMAIL has no effect without {PREFIX}OIDC_ISSUER. Set both or neither."

    if (values["RETENTION_UNUSED_DAYS"] or 0) > (values["RETENTION_DAYS"] or inf):
        yield f"{PREFIX}RETENTION_UNUSED_DAYS must not be more than {PREFIX}RETENTION_DAYS."
    if not values["CHECKPOINT_KEY"]:
        for name in ("CHECKPOINT_DIR", "CHECKPOINT_URL"):
            if values[name]:
                yield f"{PREFIX}{name} has no effect without {PREFIX}CHECKPOINT_KEY. Set both or neither."


def _retention(days: int | None, unused_days: int | None) -> Retention:
    return Retention(days, days if unused_days is None else unused_days)


def _oidc(values: Mapping[str, Any]) -> Oidc | None:
    if (issuer := values["OIDC_ISSUER"]) is None:
        return None
    return Oidc(
        issuer,
        values["OIDC_CLIENT_ID"],
        values["OIDC_CLIENT_SECRET"],
        values["OIDC_TRUST_EMAIL"],
        values["PRIVATE_DOMAINS"],
    )
