"""Links that sign somebody in once. Commands make them too, so nothing here loads the framework."""

from __future__ import annotations

from datetime import timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from adapters.composition import Rollcall

LINK_FOR = timedelta(minutes=10)  # no longer: OWASP ASVS 5.0, 6.5.5
MINUTES = int(LINK_FOR.total_seconds()) // 60
LOCAL = "http://127.0.0.1:8000"


class Link(Struct, frozen=True):
    """Whom a sign-in link signs in."""

    email: str


def sign_in_link(rollcall: Rollcall, email: str, served_at: str = LOCAL) -> str:
    """Return a link that signs in whoever has this canonical address, once, within LINK_FOR.

    `served_at` is where Rollcall is reached if there is no public URL.
    """
    secret = token_urlsafe(32)
    rollcall.tickets.issue("link", secret, Link(email), LINK_FOR)
    return f"{rollcall.settings.public_url or served_at}/sign-in/link/{secret}"
