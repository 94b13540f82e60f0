"""Where Rollcall is reached: the host names it answers to, the links to its own pages, and its cookies."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from adapters.variables import LOOPBACK_NAMES

if TYPE_CHECKING:
    from datetime import timedelta

HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\[\]:@/?#\s]+)(?::[0-9]{1,5})?")
OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # printable ASCII; browsers treat a backslash as a slash
LONGEST_PATH = 2_000
CookieName: TypeAlias = Literal["session", "sign-in", "back", "unsaved"]


class Site:
    """What follows from the public URL. Without one, Rollcall is reached over loopback only."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self.secure = public_url is not None and public_url.startswith("https:")
        self._netloc = urlsplit(public_url).netloc if public_url else None

    def answers_to(self, host: str) -> bool:
        """Tell whether a request's Host is one of ours.

        Anyone can make another name point here (DNS rebinding), so other names are refused. IP addresses can't be
        misused like that, and health checks and Prometheus use them.
        """
        found = HOST.fullmatch(host)
        if found is None:
            return False
        return host.lower() == self._netloc or found["name"].lower() in LOOPBACK_NAMES or _is_address(found["name"])

    def is_own(self, origin: str, host: str) -> bool:
        """Tell whether an Origin is ours: the public one or, for requests over loopback or to an IP address, theirs."""
        return origin == self._public_url or (host.lower() != self._netloc and origin == f"http://{host}")

    def url(self, path: str, host: str) -> str:
        """Return a link to one of our paths that works for a client that used this Host."""
        return (self._public_url or f"http://{host}") + path

    def cookie(self, name: CookieName, value: str | None, good_for: timedelta | None = None) -> Cookie:
        """Return a cookie that browsers send only to us and hide from scripts; the value None clears it."""
        age = 0 if value is None else int(good_for.total_seconds()) if good_for else None
        return Cookie(
            self.cookie_name(name), value=value or "", max_age=age, secure=self.secure, httponly=True, samesite="lax"
        )

    def cookie_name(self, name: CookieName) -> str:
        """Return a cookie's name. With the prefix, browsers don't accept it from other hosts or without TLS."""
        plain = "rollcall" if name == "session" else f"rollcall-{name}"
        return f"__Host-{plain}" if self.secure else plain


def own_path(wanted: str) -> str:
    """Return a path to send a browser to if it is one of ours, else `/`: we never redirect to another site."""
    return wanted if len(wanted) <= LONGEST_PATH and OWN_PATH.fullmatch(wanted) else "/"


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
