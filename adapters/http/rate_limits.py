"""How often, and how many at once. Counted in this process's memory: each of several servers allows as much.

The rates are the generic cell rate algorithm (ITU-T I.371, annex A): a key has one number, the time at which all that
it did would have been due had it come evenly. It takes a burst of as many as the limit, then one whenever one is due.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.settings import Rates
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from litestar.connection import ASGIConnection

SIGN_IN_SECONDS = 600
REQUEST_SECONDS = 60
TRY_UPLOAD_AGAIN_SECONDS = 5
KEYS = 100_000


class TooManyRequests(RollcallError):
    """{reason} Try again in {seconds} s."""

    code = "too-many-requests"


class Rate:
    """So many in so many seconds, for each key."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._each = seconds / limit
        self._clock = clock
        self._due: dict[str, float] = {}
        self._lock = Lock()

    def take(self, key: str, reason: str) -> None:
        """Count one more of this key; raises TooManyRequests, which is not counted."""
        with self._lock:
            now = self._clock()
            due = max(self._due.get(key, now), now) + self._each
            early = due - now - self._seconds
            if early > self._each * 1e-6:  # what adding up fractions may miss
                raise TooManyRequests(reason=reason, seconds=math.ceil(early))
            self._due[key] = due
            if len(self._due) > KEYS:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Forget the keys that may do everything again; of a flood of others, those that may do most."""
        kept = sorted(((due, key) for key, due in self._due.items() if due > now), reverse=True)
        self._due = {key: due for due, key in kept[: KEYS // 2]}


class RateLimits:
    """What the settings allow."""

    def __init__(self, rates: Rates) -> None:
        self._sign_ins = Rate(rates.sign_ins, SIGN_IN_SECONDS)
        self._requests = Rate(rates.requests, REQUEST_SECONDS)
        self._most_uploads = rates.uploads
        self._uploads: Counter[UUID] = Counter()

    def count_sign_in(self, key: str) -> None:
        """Count an attempt to sign in, of a client, a link or an address; raises TooManyRequests."""
        self._sign_ins.take(key, "There were too many attempts to sign in.")

    def count_request(self, secret: str) -> None:
        """Count a request of a token or of a session, be it a good one or not; raises TooManyRequests."""
        self._requests.take(secret, "There were too many requests with this token or session.")

    @contextmanager
    def count_upload(self, subscription_id: UUID) -> Iterator[None]:
        """Count an upload while it lasts, only within the event loop; raises TooManyRequests."""
        if self._uploads[subscription_id] >= self._most_uploads:
            reason = f"{self._most_uploads} uploads of this subscription are in progress: wait until one is done."
            raise TooManyRequests(reason=reason, seconds=TRY_UPLOAD_AGAIN_SECONDS)
        self._uploads[subscription_id] += 1
        try:
            yield
        finally:
            self._uploads[subscription_id] -= 1
            self._uploads += Counter()  # which keeps those that are in progress alone


def client_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return who a client is by its address; of IPv6 by its network, since a client has all addresses of one."""
    host = connection.client.host if connection.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)
