"""Where Rollcall is reached: the names that it answers to, the links to itself, and its cookies."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from adapters.variables import LOOPBACK_NAMES

if TYPE_CHECKING:
    from datetime import timedelta

HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\[\]:@/?#\s]+)(?::[0-9]{1,5})?")
OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # printable ASCII; browsers take a backslash for a slash
LONGEST_PATH = 2_000


class Site:
    """What follows from the public URL; without one, Rollcall is reached over loopback alone."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self.secure = public_url is not None and public_url.startswith("https:")
        self._netloc = urlsplit(public_url).netloc if public_url else None

    def answers_to(self, host: str) -> bool:
        """Tell whether a request's Host is ours.

        A name that is not ours could be anybody's and lead here all the same (DNS rebinding). An address cannot: it
        is what health checks and Prometheus go by.
        """
        found = HOST.fullmatch(host)
        if found is None:
            return False
        return host.lower() == self._netloc or found["name"].lower() in LOOPBACK_NAMES or _is_address(found["name"])

    def is_own(self, origin: str, host: str) -> bool:
        """Tell whether an Origin is ours: the public one, or what was asked over loopback or at an address."""
        return origin == self._public_url or (host.lower() != self._netloc and origin == f"http://{host}")

    def url(self, path: str, host: str) -> str:
        """Return a link to a path of ours, as whoever asked this Host can follow it."""
        return (self._public_url or f"http://{host}") + path

    def cookie(
        self, name: Literal["session", "sign-in"], value: str | None, good_for: timedelta | None = None
    ) -> Cookie:
        """Return a cookie that only we get and no script; None clears it."""
        age = 0 if value is None else int(good_for.total_seconds()) if good_for else None
        return Cookie(
            self.cookie_name(name), value=value or "", max_age=age, secure=self.secure, httponly=True, samesite="lax"
        )

    def cookie_name(self, name: Literal["session", "sign-in"]) -> str:
        """Return what a cookie is called; the prefix has browsers refuse it from any other host, and without TLS."""
        plain = {"session": "rollcall", "sign-in": "rollcall-sign-in"}[name]
        return f"__Host-{plain}" if self.secure else plain


def own_path(wanted: str) -> str:
    """Return the path where somebody wants to go if it is one of ours, else `/`: nobody is sent elsewhere from here."""
    return wanted if len(wanted) <= LONGEST_PATH and OWN_PATH.fullmatch(wanted) else "/"


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
