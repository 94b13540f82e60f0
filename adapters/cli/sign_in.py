"""Signing in: a link for when no identity provider is there, whose account an address is, and who is signed in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from adapters.cli.shared import json_option, limit_option, me, one_more, running, time_of
from adapters.cli.terminal import DONE, Column, Terminal
from adapters.composition import composed
from adapters.console.links import LINK_FOR, MINUTES, sign_in_link
from adapters.settings import read_settings
from application.identifying import end_sessions, release_identity
from domain.access import ROLLCALL
from domain.naming import parse_email
from projections import access
from projections.reports.sentences import counted

if TYPE_CHECKING:
    from adapters.postgres.sign_ins import SignIn
    from projections.access import IdentityRow


class Released(Struct, frozen=True):
    """The addresses that were released, for machines."""

    released: list[str]


class Ended(Struct, frozen=True):
    """How many sessions were ended, for machines."""

    ended: int


class SignInLink(Struct, frozen=True):
    """A sign-in link, for machines."""

    email: str
    url: str
    good_for_seconds: int


@click.command("sign-in-link", short_help="Print a link that signs somebody in once")
@click.argument("email")
@json_option
def sign_in_link_(*, email: str, as_json: bool) -> int:
    """Print a link that signs EMAIL in: in a browser, once, within 10 minutes.

    What they may do then is up to the roles that this address was granted. Whoever has the link can use it.
    """
    terminal = Terminal(as_json=as_json)
    canonical = parse_email(email)
    with composed(read_settings(os.environ)) as rollcall:
        url = sign_in_link(rollcall, canonical)
    if as_json:
        terminal.emit(SignInLink(canonical, url, int(LINK_FOR.total_seconds())))
        return DONE
    terminal.say(url)
    terminal.note(f"It signs in {canonical}, once, within {MINUTES} minutes.")
    return DONE


# --- whose account an address is ------------------------------------------------------------------------------------


@click.group(short_help="Show and release whose account an address is")
def identity() -> None:
    """Show and release whose account at the identity provider an address is.

    The first account that signs in with an address keeps it: an address may pass from one person to another, an account
    does not.
    """


@identity.command("list", short_help="List whose accounts addresses are")
@click.argument("email", required=False)
@limit_option
@json_option
def identity_list(*, email: str | None, limit: int | None, as_json: bool) -> int:
    """List to which accounts addresses belong; with EMAIL, that one's."""
    terminal = Terminal(as_json=as_json)
    canonical = parse_email(email) if email is not None else None
    with running("access") as rollcall, rollcall.views() as cursor:
        rows = access.identities(cursor, email=canonical, limit=one_more(limit))
    terminal.listing(
        rows,
        (Column("address"), Column("account"), Column("provider"), Column("since", whole=True, optional=True)),
        _identity_cells,
        limit,
    )
    return DONE


def _identity_cells(row: IdentityRow) -> tuple[str, ...]:
    return row.email, row.subject, row.issuer, time_of(row.bound_at)


@identity.command("release", short_help="Let another account have an address")
@click.argument("email", required=False)
@click.option("--all", "everybody", is_flag=True, help="All addresses: after a change of the identity provider.")
@json_option
def identity_release(*, email: str | None, everybody: bool, as_json: bool) -> int:
    """Let the next account that signs in with the address EMAIL have it, and end the sessions of the address.

    What the address was granted stays granted: see “rollcall access revoke” if it is another person's from now on.
    """
    if (email is None) is not everybody:
        raise click.UsageError("Give an address, or --all.")
    terminal = Terminal(as_json=as_json)
    with running("access") as rollcall:
        if email is None:
            with rollcall.views() as cursor:
                wanted = [row.email for row in access.identities(cursor)]
        else:
            wanted = [parse_email(email)]
        released = [each for each in wanted if release_identity(rollcall, me(ROLLCALL), each)]
    if as_json:
        terminal.emit(Released(released))
    for each in released:
        terminal.say(f"{each} belongs to whichever account signs in with it next.")
    if not released:
        terminal.say(f"{email or 'No address'} belonged to no account before.")
    return DONE


# --- who is signed in -----------------------------------------------------------------------------------------------


@click.group(short_help="Show and end the sessions of people")
def session() -> None:
    """Show and end the sessions of people: who is signed in, in which browser, from where."""


@session.command("list", short_help="List who is signed in")
@click.argument("email", required=False)
@json_option
def session_list(*, email: str | None, as_json: bool) -> int:
    """List the sessions of everybody, or of whoever has the address EMAIL, last used first."""
    terminal = Terminal(as_json=as_json)
    canonical = parse_email(email) if email is not None else None
    with composed(read_settings(os.environ)) as rollcall:
        rows = rollcall.sign_ins.of(canonical)
    terminal.listing(
        rows,
        (
            Column("address"),
            Column("browser"),
            Column("signed in", whole=True),
            Column("last used", whole=True),
            Column("by", whole=True, optional=True),
            Column("from", whole=True, optional=True),
        ),
        _session_cells,
    )
    return DONE


def _session_cells(row: SignIn) -> tuple[str, ...]:
    return row.email, row.browser, time_of(row.started_at), time_of(row.used_at), row.way, row.network


@session.command("end", short_help="End the sessions of somebody, or of everybody")
@click.argument("email", required=False)
@click.option("--all", "everybody", is_flag=True, help="The sessions of everybody.")
@json_option
def session_end(*, email: str | None, everybody: bool, as_json: bool) -> int:
    """End the sessions of whoever has the address EMAIL, at once and in every process.

    They can sign in again; what they may do then is up to their roles. It is in the audit log of operators.
    """
    if (email is None) is not everybody:
        raise click.UsageError("Give an address, or --all.")
    terminal = Terminal(as_json=as_json)
    with running("access") as rollcall:
        ended = end_sessions(rollcall, me(ROLLCALL), email)
    if as_json:
        terminal.emit(Ended(ended))
    none = f"{email} was not signed in." if email else "Nobody was signed in."
    terminal.say(f"Ended {counted(ended, 'session')}." if ended else none)
    return DONE
