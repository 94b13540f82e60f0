"""Limits on requests: how often, and how many at once. Each server counts for itself, all its web processes together.

Rates follow the generic cell rate algorithm (ITU-T I.371, annex A): each key has one number, the time at which
everything it did would have been due if it had been spread evenly. A key may use its whole limit in one burst, and
after that one more whenever one is due.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec import Struct

from adapters.settings import Rates
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from uuid import UUID

    from litestar.connection import ASGIConnection
    from litestar.types import Message, Scope

    from adapters.http.siblings import Siblings, Table

    AnyConnection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

T = TypeVar("T")

SIGN_IN_SECONDS = 600
REQUEST_SECONDS = 60
TRY_AGAIN_SECONDS = 5
KEYS = 131_072
KEYS_AT_ONCE = 8_192
ROUNDING = 1e-6  # the errors of sums of times, as a share of the time that one takes
QUOTA = "quota"
"""The name under which a request's state has the quota of what it was counted against."""
STRANGERS = "Too many requests with unknown tokens from your address."


class TooManyRequests(RollcallError):
    """{reason} Try again in {seconds} s."""

    code = "too-many-requests"


class Quota(Struct, frozen=True):
    """How many more are allowed now, and in how many seconds the whole limit is available again."""

    limit: int
    remaining: int
    reset: int


class Rate:
    """At most `limit` in `seconds` seconds, for each key. A table has when each is due, and forgets idle keys first."""

    def __init__(self, limit: int, seconds: float, due: Table, clock: Callable[[], float] = monotonic) -> None:
        """Take a clock that is the same in all processes of a machine."""
        self._limit = limit
        self._seconds = seconds
        self._each = seconds / limit
        self._clock = clock
        self._due = due
        self._lock = Lock()

    def take(self, key: str, reason: str) -> None:
        """Count one more for this key; raises TooManyRequests, in which case it isn't counted."""
        with self._lock:
            self._due[key] = self._next_due(key, reason)

    def check(self, key: str, reason: str) -> None:
        """Raise TooManyRequests if `take` would."""
        self._next_due(key, reason)

    def _next_due(self, key: str, reason: str) -> float:
        now = self._clock()
        due = max(self._due[key], now) + self._each
        early = due - now - self._seconds
        if early > self._each * ROUNDING:
            raise TooManyRequests(reason=reason, seconds=math.ceil(early))
        return due

    def quota(self, key: str) -> Quota:
        """Return what this key has left."""
        used = max(self._due[key] - self._clock(), 0)
        remaining = max(math.floor((self._seconds - used) / self._each + ROUNDING), 0)
        return Quota(self._limit, remaining, math.ceil(used - self._each * ROUNDING))


class AtOnce:
    """At most `limit` at the same time, for each key. For the event loop only.

    Each process counts its own, in a table that the others read. If it is killed, the next in its place begins anew.
    """

    def __init__(self, limit: int, siblings: Siblings) -> None:
        self._limit = limit
        self._running = [siblings.table(KEYS_AT_ONCE) for _ in range(siblings.count)]
        self._own = self._running[siblings.number]
        self._own.clear()

    def check(self, key: str, reason: str, *, counted: int = 0) -> None:
        """Raise TooManyRequests unless one more may run, or unless those may that have been counted already."""
        if sum(each[key] for each in self._running) - counted >= self._limit:
            raise TooManyRequests(reason=reason.format(limit=self._limit), seconds=TRY_AGAIN_SECONDS)

    @contextmanager
    def count(self, key: str) -> Iterator[None]:
        """Count one more while the block runs."""
        self._own[key] += 1
        try:
            yield
        finally:
            self._own[key] = max(self._own[key] - 1, 0)


class RateLimits:
    """Counts sign-ins, requests, uploads and followers against the limits of the settings."""

    def __init__(self, rates: Rates, siblings: Siblings) -> None:
        self._sign_ins = Rate(rates.sign_ins, SIGN_IN_SECONDS, siblings.table(KEYS))
        self._requests = Rate(rates.requests, REQUEST_SECONDS, siblings.table(KEYS))
        self._strangers = Rate(rates.requests, REQUEST_SECONDS, siblings.table(KEYS))
        self._probes = Rate(rates.requests, REQUEST_SECONDS, siblings.table(KEYS))
        self._known = siblings.table(KEYS)
        self._uploads = AtOnce(rates.uploads, siblings)
        self._followers = AtOnce(rates.followers, siblings)

    def count_sign_in(self, connection: AnyConnection, key: str) -> None:
        """Count an attempt to sign in by a client, with a link or as an address; raises TooManyRequests."""
        with _telling_quota(connection, self._sign_ins, key):
            self._sign_ins.take(key, "Too many attempts to sign in.")

    def count_probe(self, connection: AnyConnection) -> None:
        """Count a request of a client that needs no token; raises TooManyRequests."""
        client = client_of(connection)
        with _telling_quota(connection, self._probes, client):
            self._probes.take(client, "Too many requests from your address.")

    def find_caller(self, connection: AnyConnection, secret: str, find: Callable[[str], T | None]) -> T | None:
        """Return whom `find` finds for a token or a session; count the request, and raise TooManyRequests.

        A client that has sent too many unknown secrets is refused before the look-up, except with a secret that has
        been known before: others may have the same address.
        """
        client, key = client_of(connection), sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        with _telling_quota(connection, self._requests, key):
            self._requests.take(key, "Too many requests with this token or session.")
        is_known = self._known[key]
        if not is_known:
            self._strangers.check(client, STRANGERS)
        found = find(secret)
        if found is not None:
            if not is_known:
                self._known[key] = 1
            return found
        self._known[key] = 0
        with _telling_quota(connection, self._strangers, client):
            self._strangers.take(client, STRANGERS)
        return None

    @contextmanager
    def count_upload(self, subscription_id: UUID) -> Iterator[None]:
        """Count an upload while the block runs; only in the event loop. Raises TooManyRequests."""
        key = str(subscription_id)
        with self._uploads.count(key):
            reason = "This subscription has {limit} uploads in progress. Wait until one is done."
            self._uploads.check(key, reason, counted=1)
            yield

    def check_followers(self, actor: str) -> None:
        """Raise TooManyRequests if too many requests of this token or person are waiting for news."""
        reason = "{limit} requests with this token, or by this person, are waiting for news. End one of them first."
        self._followers.check(actor, reason)

    def count_follower(self, actor: str) -> AbstractContextManager[None]:
        """Count a request that waits for news while the block runs; only in the event loop."""
        return self._followers.count(actor)


@contextmanager
def _telling_quota(connection: AnyConnection, rate: Rate, key: str) -> Iterator[None]:
    """Have the answer tell what the key has left after the block, unless another count leaves less."""
    try:
        yield
    finally:
        state, quota = connection.scope["state"], rate.quota(key)
        state[QUOTA] = min(state.get(QUOTA, quota), quota, key=lambda each: each.remaining)


async def add_quota(message: Message, scope: Scope) -> None:
    """Add how many more of its kind are allowed to an answer, if the request was counted.

    The fields are those of draft-ietf-httpapi-ratelimit-headers, as they were up to its version 07. A 413 has none: ky
    takes the reset for a Retry-After, and would send what is too large again.
    """
    quota = scope["state"].get(QUOTA)
    if message["type"] != "http.response.start" or message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return
    if isinstance(quota, Quota):
        sent = {"limit": quota.limit, "remaining": quota.remaining, "reset": quota.reset}
        added = [(f"ratelimit-{name}".encode(), str(value).encode()) for name, value in sent.items()]
        message["headers"] = [*message["headers"], *added]


def client_of(connection: AnyConnection) -> str:
    """Return the address that a client is counted by; for IPv6 its network, as a client has all addresses of one.

    A socket for both versions shows IPv4 clients as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2): all in one network.
    """
    return _counted_address(connection.client.host if connection.client else "")


@lru_cache(maxsize=1_000)
def _counted_address(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)
