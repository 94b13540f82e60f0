"""A link that signs somebody in once: for a first start, and when the identity provider is away."""

from __future__ import annotations

import os

import click
from msgspec import Struct

from adapters.commands.shared import json_option
from adapters.composition import composed
from adapters.settings import read_settings
from adapters.terminal import DONE, Terminal
from adapters.web.links import LINK_FOR, MINUTES, sign_in_link
from domain.naming import parse_email


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
