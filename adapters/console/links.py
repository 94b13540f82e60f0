"""Links that sign someone in once. The command line makes them too, so this module doesn't import the web framework."""

from __future__ import annotations

from datetime import timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from adapters.composition import Rollcall

LINK_FOR = timedelta(minutes=10)  # the longest that OWASP ASVS 5.0 allows (6.5.5)
MINUTES = int(LINK_FOR.total_seconds()) // 60
LOCAL = "http://127.0.0.1:8000"


class Link(Struct, frozen=True):
    """A sign-in link, as it is stored: the address of the person it signs in."""

    email: str


def sign_in_link(rollcall: Rollcall, email: str, served_at: str = LOCAL) -> str:
    """Return a link that signs in the person with this canonical address, once, within LINK_FOR.

    `served_at` is the address of the server, used if there is no public URL.
    """
    secret = token_urlsafe(32)
    rollcall.tickets.issue("link", secret, Link(email), LINK_FOR)
    return f"{rollcall.settings.public_url or served_at}/sign-in/link/{secret}"
