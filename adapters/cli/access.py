"""People's access, and API tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import TYPE_CHECKING, get_args
from uuid import UUID, uuid4

import click
from msgspec import Struct, structs

from adapters.cli.lookup import find_subscription, whole_id
from adapters.cli.options import json_option, limit_option, one_more, scope_option, short_id
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.terminal import DONE, Column, Terminal, utc_time
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


class ListedToken(TokenRow, frozen=True):
    """A token and when it was last used."""

    last_used_at: datetime | None = None


class IssuedToken(Struct, frozen=True):
    """A token that was just created, with its secret, as JSON."""

    id: UUID
    token: str
    expires_at: datetime | None


class AccessChange(Struct, frozen=True):
    """The result of granting or revoking access, as JSON: `changed` is false if there was nothing to do."""

    email: str
    changed: bool


def expiry(value: str, now: datetime) -> datetime | None:
    """Return the time for `90d` or `2027-01-31`, or None for `never`; raises click.BadParameter and ExpiryInvalid."""
    if value == "never":
        return None
    try:
        if days := LIFETIME.fullmatch(value):
            return now + timedelta(days=int(days[1]))
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
    except OverflowError:
        raise ExpiryInvalid(expires_at=value) from None
    except ValueError:
        raise click.BadParameter(
            f"“{value}” is not an expiry. Use a number of days (90d), a date (2027-01-31) or never."
        ) from None


def _scope(rollcall: Rollcall, name_or_id: str | None) -> UUID:
    return find_subscription(rollcall, name_or_id).id if name_or_id is not None else ROLLCALL


# --- access ---------------------------------------------------------------------------------------------------------


@click.group(short_help="Grant, revoke and list people's access")
def access() -> None:
    """Grant, revoke and list people's access. People are known by their e-mail address.

    In a subscription, administrators can do everything, auditors can read everything, and consumers can read group
    events. Operators create subscriptions and grant access to them: their role is granted without --subscription.
    """


@access.command("grant", short_help="Grant someone a role")
@click.argument("email")
@click.option("--role", type=ROLES, required=True, help="The role to grant.")
@scope_option
@json_option
def access_grant(*, email: str, role: Role, name_or_id: str | None, as_json: bool) -> int:
    """Grant a role to the person with the address EMAIL."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        done = granting.grant_access(rollcall, operator_origin(_scope(rollcall, name_or_id)), email, role)
    if as_json:
        terminal.emit(AccessChange(email, done.changed))
    terminal.say(f"{email} now has the role {role}." if done.changed else f"{email} already had the role {role}.")
    return DONE


@access.command("revoke", short_help="Revoke someone's role, or all of their roles")
@click.argument("email")
@click.option("--role", type=ROLES, help="Revoke only this role.")
@scope_option
@json_option
def access_revoke(*, email: str, role: Role | None, name_or_id: str | None, as_json: bool) -> int:
    """Revoke a role, or all roles, of the person with the address EMAIL.

    This takes effect immediately. Tokens that the person created stop working too.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        done = granting.revoke_access(rollcall, operator_origin(_scope(rollcall, name_or_id)), email, role)
    if as_json:
        terminal.emit(AccessChange(email, done.changed))
    what = f"the role {role}" if role else "any role here"
    terminal.say(f"{email} no longer has {what}." if done.changed else f"{email} didn't have {what}.")
    return DONE


@access.command("list", short_help="List who has which role")
@scope_option
@limit_option
@json_option
def access_list(*, name_or_id: str | None, limit: int | None, as_json: bool) -> int:
    """List who has which role in a subscription, or the operators if you give none."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "access") as rollcall:
        scope = _scope(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = view.grants(cursor, scope, limit=one_more(limit))
    terminal.listing(
        rows,
        (
            Column("address"),
            Column("role", whole=True),
            Column("since", whole=True),
            Column("granted by", optional=True),
        ),
        _grant_cells,
        limit,
    )
    return DONE


def _grant_cells(row: GrantRow) -> tuple[str, ...]:
    return row.email, row.role, utc_time(row.granted_at), row.granted_by.name


# --- tokens ---------------------------------------------------------------------------------------------------------


@click.group(short_help="Create, list and revoke API tokens")
def token() -> None:
    """Create, list and revoke API tokens. A token grants one role in one subscription, or the role of an operator."""


@token.command("create", short_help="Create a token and print it")
@click.option("--role", type=ROLES, required=True, help="The role that the token grants.")
@scope_option
@click.option("--name", help="Its name in lists and in the audit log; by default, its role.")
@click.option(
    "--expires",
    "expires_at",
    metavar="WHEN",
    default=f"{TOKEN_DAYS}d",
    show_default=True,
    callback=lambda _context, _option, value: expiry(value, datetime.now(UTC)),
    help="A number of days (90d), a date in UTC (2027-01-31) or never.",
)
@json_option
def token_create(
    *, role: Role, name_or_id: str | None, name: str | None, expires_at: datetime | None, as_json: bool
) -> int:
    """Create a token and print it to stdout. It is shown only once."""
    terminal = Terminal(as_json=as_json)
    secret, token_id = token_bytes(SECRET_BYTES), uuid4()
    new = NewToken(role if name is None else name, role, expires_at)
    with open_rollcall("directory") as rollcall:
        granting.issue_token(rollcall, operator_origin(_scope(rollcall, name_or_id)), token_id, secret, new)
    text = token_text(token_id, secret)
    if as_json:
        terminal.emit(IssuedToken(token_id, text, expires_at))
    else:
        terminal.say(text)
        terminal.note("Copy the token now: it won't be shown again. Send it as “Authorization: Bearer …”.")
    return DONE


@token.command("list", short_help="List the tokens")
@scope_option
@limit_option
@json_option
def token_list(*, name_or_id: str | None, limit: int | None, as_json: bool) -> int:
    """List the tokens of a subscription, newest first, or those of operators if you give none."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "access") as rollcall:
        scope = _scope(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = view.tokens(cursor, [scope], limit=one_more(limit))
        used = rollcall.last_uses.of(row.token_id for row in rows)
    terminal.listing(
        [ListedToken(**structs.asdict(row), last_used_at=used.get(row.token_id)) for row in rows],
        (
            Column("id", whole=True),
            Column("name"),
            Column("role", whole=True),
            Column("expires", whole=True),
            Column("last used", whole=True, optional=True),
            Column("created by", optional=True),
        ),
        _token_cells,
        limit,
    )
    return DONE


def _token_cells(row: ListedToken) -> tuple[str, ...]:
    until = utc_time(row.expires_at) if row.expires_at else "never"
    until = "revoked" if row.revoked_at else until
    used = utc_time(row.last_used_at) if row.last_used_at else "never"
    return str(row.token_id), row.name, row.role, until, used, row.issued_by.name


@token.command("revoke", short_help="Revoke a token")
@click.argument("digits", metavar="ID", callback=short_id)
@json_option
def token_revoke(*, digits: str, as_json: bool) -> int:
    """Revoke the token ID. This takes effect immediately. Tokens that were issued with it stop working too."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("access") as rollcall:
        token_id = whole_id(rollcall, "token", digits)
        scope = granting.scope_of_token(rollcall, token_id)
        granting.revoke_token(rollcall, operator_origin(scope), token_id)
    if as_json:
        terminal.emit({"revoked": token_id})
    terminal.say("The token is revoked. It no longer works.")
    return DONE
