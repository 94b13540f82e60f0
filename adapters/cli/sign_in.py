"""Signing in: links that need no identity provider, the accounts that addresses belong to, and who is signed in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from adapters.cli.options import json_option, limit_option, one_more
from adapters.cli.process import command_line, open_rollcall, operator_origin
from adapters.cli.terminal import DONE, Column, Terminal, utc_time
from adapters.composition import composed
from adapters.console import links
from adapters.settings import read_settings
from application.identifying import end_sign_ins, release_identity
from domain.access import ROLLCALL
from domain.addresses import parse_email
from projections import access
from projections.reports.wording import counted

if TYPE_CHECKING:
    from adapters.postgres.sign_ins import SignIn
    from projections.access import IdentityRow


class ReleasedAddresses(Struct, frozen=True):
    """The addresses that were released, as JSON."""

    released: list[str]


class EndedSessions(Struct, frozen=True):
    """How many sessions were ended, as JSON."""

    ended: int


class SignInLink(Struct, frozen=True):
    """A sign-in link, as JSON."""

    email: str
    url: str
    good_for_seconds: int


@click.command("sign-in-link", short_help="Print a link that signs someone in")
@click.argument("email")
@json_option
def sign_in_link(*, email: str, as_json: bool) -> int:
    """Print a link that signs EMAIL in to the console. It works once, for 10 minutes.

    What they can do depends on the roles granted to EMAIL (see “rollcall access”). Anyone who has the link can use it.
    """
    terminal = Terminal(as_json=as_json)
    with composed(read_settings(os.environ)) as rollcall:
        canonical = parse_email(email, rollcall.private_domains)
        running = rollcall.servers.running()
        url = links.sign_in_link(rollcall, canonical, *running[:1])
    if as_json:
        terminal.emit(SignInLink(canonical, url, int(links.LINK_FOR.total_seconds())))
    else:
        terminal.say(url)
        terminal.note(f"This link signs in {canonical}. It works once, for {links.MINUTES} minutes.")
    if not running:
        terminal.note(f"No server is running. Start one while the link works:\n  {command_line('serve')}")
    return DONE


# --- accounts ------------------------------------------------------------------------------------------------------


@click.group(short_help="List and release the accounts that addresses belong to")
def identity() -> None:
    """List and release the identity provider accounts that addresses belong to.

    An address belongs to the first account that signs in with it, because an address may be given to another person
    later, and an account is not.
    """


@identity.command("list", short_help="List which account each address belongs to")
@click.argument("email", required=False)
@limit_option
@json_option
def identity_list(*, email: str | None, limit: int | None, as_json: bool) -> int:
    """List which account each address belongs to, or only EMAIL."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("access") as rollcall, rollcall.views() as cursor:
        canonical = parse_email(email, rollcall.private_domains) if email is not None else None
        rows = access.identities(cursor, email=canonical, limit=one_more(limit))
    terminal.listing(
        rows,
        (Column("address"), Column("account"), Column("provider"), Column("since", whole=True, optional=True)),
        _identity_cells,
        limit,
    )
    return DONE


def _identity_cells(row: IdentityRow) -> tuple[str, ...]:
    return row.email, row.subject, row.issuer, utc_time(row.bound_at)


@identity.command("release", short_help="Let another account use an address")
@click.argument("email", required=False)
@click.option("--all", "everybody", is_flag=True, help="Release all addresses, after you change the identity provider.")
@json_option
def identity_release(*, email: str | None, everybody: bool, as_json: bool) -> int:
    """Release EMAIL, so that it belongs to the next account that signs in with it, and end its sessions.

    The address keeps its roles. If it now belongs to another person, revoke them with “rollcall access revoke”.
    """
    if (email is None) is not everybody:
        raise click.UsageError("Give an address or --all.")
    terminal = Terminal(as_json=as_json)
    with open_rollcall("access") as rollcall:
        if email is None:
            with rollcall.views() as cursor:
                wanted = [row.email for row in access.identities(cursor)]
        else:
            wanted = [parse_email(email, rollcall.private_domains)]
        released = [each for each in wanted if release_identity(rollcall, operator_origin(ROLLCALL), each).changed]
    if as_json:
        terminal.emit(ReleasedAddresses(released))
    for each in released:
        terminal.say(f"{each} is released. It will belong to the next account that signs in with it.")
    if not released:
        terminal.say(f"{email} doesn't belong to an account." if email else "No address belongs to an account.")
    return DONE


# --- sessions -------------------------------------------------------------------------------------------------------


@click.group("session", short_help="List and end people's sessions")
def sign_in() -> None:
    """List and end people's sessions in the console: who is signed in, in which browser, and from where."""


@sign_in.command("list", short_help="List who is signed in")
@click.argument("email", required=False)
@json_option
def session_list(*, email: str | None, as_json: bool) -> int:
    """List all sessions, or those of EMAIL, most recently used first."""
    terminal = Terminal(as_json=as_json)
    with composed(read_settings(os.environ)) as rollcall:
        canonical = parse_email(email, rollcall.private_domains) if email is not None else None
        rows = rollcall.sign_ins.of(canonical)
    terminal.listing(
        rows,
        (
            Column("address"),
            Column("browser"),
            Column("signed in", whole=True),
            Column("last used", whole=True),
            Column("with", whole=True, optional=True),
            Column("from", whole=True, optional=True),
        ),
        _session_cells,
    )
    return DONE


def _session_cells(row: SignIn) -> tuple[str, ...]:
    return row.email, row.browser, utc_time(row.started_at), utc_time(row.used_at), row.way, row.network


@sign_in.command("end", short_help="End someone's sessions, or all of them")
@click.argument("email", required=False)
@click.option("--all", "everybody", is_flag=True, help="End all sessions.")
@json_option
def session_end(*, email: str | None, everybody: bool, as_json: bool) -> int:
    """End all sessions of EMAIL. This takes effect immediately.

    The person can sign in again; to prevent that, revoke their roles. The operators' audit log records it.
    """
    if (email is None) is not everybody:
        raise click.UsageError("Give an address or --all.")
    terminal = Terminal(as_json=as_json)
    with open_rollcall("access") as rollcall:
        ended = end_sign_ins(rollcall, operator_origin(ROLLCALL), email)
    if as_json:
        terminal.emit(EndedSessions(ended))
    none = f"{email} wasn't signed in." if email else "No one was signed in."
    terminal.say(f"Ended {counted(ended, 'session')}." if ended else none)
    return DONE
