"""Who may do what: access of people, and API tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import TYPE_CHECKING, get_args
from uuid import UUID, uuid4

import click
from msgspec import Struct, structs

from adapters.cli.shared import find_subscription, json_option, limit_option, me, running, time_of
from adapters.cli.terminal import DONE, Column, Terminal
from application import granting
from application.granting import NewToken
from domain.access import ROLLCALL, SECRET_BYTES, TOKEN_DAYS, Role, token_text
from domain.errors import ExpiryInvalid
from projections import access as view
from projections.access import GrantRow, TokenRow

if TYPE_CHECKING:
    from adapters.composition import Rollcall

ROLES = click.Choice(get_args(Role))
LIFETIME = re.compile("([1-9][0-9]{0,7})d")

scope_option = click.option(
    "--subscription", "-s", "name_or_id", metavar="NAME_OR_ID", help="The subscription; without it, all of Rollcall."
)


class ListedToken(TokenRow, frozen=True):
    """A token, and when it was last used."""

    last_used_at: datetime | None = None


class IssuedToken(Struct, frozen=True):
    """A token that was just issued, for machines."""

    id: UUID
    token: str
    expires_at: datetime | None


class Granted(Struct, frozen=True):
    """What became of a grant or a revocation, for machines: whether it changed anything."""

    email: str
    changed: bool


def expiry(value: str, now: datetime) -> datetime | None:
    """Return the time that `90d`, `2027-01-31` or `never` stands for; raises click.BadParameter and ExpiryInvalid."""
    if value == "never":
        return None
    try:
        if days := LIFETIME.fullmatch(value):
            return now + timedelta(days=int(days[1]))
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
    except OverflowError:
        raise ExpiryInvalid(expires_at=value) from None
    except ValueError:
        raise click.BadParameter(f"“{value}” is neither a number of days such as 90d, nor a date, nor never.") from None


def _scope(rollcall: Rollcall, name_or_id: str | None) -> UUID:
    return find_subscription(rollcall, name_or_id).id if name_or_id is not None else ROLLCALL


# --- access ---------------------------------------------------------------------------------------------------------


@click.group(short_help="Grant and revoke the access of people")
def access() -> None:
    """Grant and revoke the access of people, by e-mail address.

    Operators have all of Rollcall: leave --subscription out. In a subscription, administrators do everything, auditors
    read everything, consumers read the group events.
    """


@access.command("grant", short_help="Give somebody a role")
@click.argument("email")
@click.option("--role", type=ROLES, required=True, help="What they shall be.")
@scope_option
@json_option
def access_grant(*, email: str, role: Role, name_or_id: str | None, as_json: bool) -> int:
    """Give whoever has the address EMAIL a role."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        done = granting.grant_access(rollcall, me(_scope(rollcall, name_or_id)), email, role)
    if as_json:
        terminal.emit(Granted(email, done is not None))
    terminal.say(f"{email} has the role {role} now." if done else f"{email} had the role {role} before.")
    return DONE


@access.command("revoke", short_help="Take a role, or all roles, from somebody")
@click.argument("email")
@click.option("--role", type=ROLES, help="Only this role, not all of them.")
@scope_option
@json_option
def access_revoke(*, email: str, role: Role | None, name_or_id: str | None, as_json: bool) -> int:
    """Take a role, or all roles, from whoever has the address EMAIL.

    It holds at once, in every process; the tokens that they issued are good for nothing any more either.
    """
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        done = granting.revoke_access(rollcall, me(_scope(rollcall, name_or_id)), email, role)
    if as_json:
        terminal.emit(Granted(email, done is not None))
    what = f"the role {role}" if role else "any role"
    terminal.say(f"{email} does not have {what} any more." if done else f"{email} did not have {what} before.")
    return DONE


@access.command("list", short_help="List who holds which role")
@scope_option
@limit_option
@json_option
def access_list(*, name_or_id: str | None, limit: int, as_json: bool) -> int:
    """List who holds which role in a subscription; without one, the operators."""
    terminal = Terminal(as_json=as_json)
    with running("directory", "access") as rollcall:
        scope = _scope(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = view.grants(cursor, scope, limit=limit + 1)
    terminal.listing(
        rows,
        (Column("address"), Column("role", whole=True), Column("since", whole=True), Column("by", optional=True)),
        _grant_cells,
        limit,
    )
    return DONE


def _grant_cells(row: GrantRow) -> tuple[str, ...]:
    return row.email, row.role, time_of(row.granted_at), row.granted_by.name


# --- tokens ---------------------------------------------------------------------------------------------------------


@click.group(short_help="Create, list and revoke API tokens")
def token() -> None:
    """Create, list and revoke API tokens: who brings one may do what its role may."""


@token.command("create", short_help="Create a token, and print it")
@click.option("--role", type=ROLES, required=True, help="What its bearer shall be.")
@scope_option
@click.option("--name", help="What to call it in lists and in the audit log; its role, if nothing is given.")
@click.option(
    "--expires",
    "expires_at",
    metavar="WHEN",
    default=f"{TOKEN_DAYS}d",
    show_default=True,
    callback=lambda _context, _option, value: expiry(value, datetime.now(UTC)),
    help="After so many days (90d), on a date in UTC (2027-01-31), or never.",
)
@json_option
def token_create(
    *, role: Role, name_or_id: str | None, name: str | None, expires_at: datetime | None, as_json: bool
) -> int:
    """Create a token, and print it alone on stdout. It is shown this once."""
    terminal = Terminal(as_json=as_json)
    secret, token_id = token_bytes(SECRET_BYTES), uuid4()
    new = NewToken(role if name is None else name, role, expires_at)
    with running("directory") as rollcall:
        granting.issue_token(rollcall, me(_scope(rollcall, name_or_id)), token_id, secret, new)
    text = token_text(token_id, secret)
    if as_json:
        terminal.emit(IssuedToken(token_id, text, expires_at))
    else:
        terminal.say(text)
        terminal.note("Keep it: a token is shown once. It is sent as “Authorization: Bearer …”.")
    return DONE


@token.command("list", short_help="List the tokens")
@scope_option
@limit_option
@json_option
def token_list(*, name_or_id: str | None, limit: int, as_json: bool) -> int:
    """List the tokens of a subscription, newest first; without one, those of operators."""
    terminal = Terminal(as_json=as_json)
    with running("directory", "access") as rollcall:
        scope = _scope(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = view.tokens(cursor, [scope], limit=limit + 1)
        used = rollcall.last_uses.of(row.token_id for row in rows)
    terminal.listing(
        [ListedToken(**structs.asdict(row), last_used_at=used.get(row.token_id)) for row in rows],
        (
            Column("id", whole=True),
            Column("name"),
            Column("role", whole=True),
            Column("good until", whole=True),
            Column("last used", whole=True, optional=True),
            Column("by", optional=True),
        ),
        _token_cells,
        limit,
    )
    return DONE


def _token_cells(row: ListedToken) -> tuple[str, ...]:
    until = time_of(row.expires_at) if row.expires_at else "for good"
    until = "revoked" if row.revoked_at else until
    used = time_of(row.last_used_at) if row.last_used_at else "never"
    return str(row.token_id), row.name, row.role, until, used, row.issued_by.name


@token.command("revoke", short_help="Revoke a token")
@click.argument("token_id", type=click.UUID, metavar="ID")
@json_option
def token_revoke(*, token_id: UUID, as_json: bool) -> int:
    """Revoke the token ID. It holds at once, in every process."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        scope = granting.scope_of_token(rollcall, token_id)
        granting.revoke_token(rollcall, me(scope), token_id)
    if as_json:
        terminal.emit({"revoked": token_id})
    terminal.say("The token is good for nothing any more.")
    return DONE
