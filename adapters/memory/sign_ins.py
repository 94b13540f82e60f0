"""Sign-ins in memory (see `ports.SignIns`)."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable


class MemorySignIns:
    """The canonical address behind each sign-in. They never expire, and threads may share them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._emails: dict[str, str] = {}

    def start(self, email: str) -> str:
        """Sign an address in, and return the secret of the sign-in."""
        secret = str(uuid4())
        with self._lock:
            self._emails[secret] = email
        return secret

    def find(self, secret: str) -> str | None:
        """Return whose sign-in this is; None if it has ended or never was."""
        with self._lock:
            return self._emails.get(secret)

    def signed_in(self) -> frozenset[str]:
        """Return the addresses that are signed in now."""
        with self._lock:
            return frozenset(self._emails.values())

    def end_of(self, emails: Iterable[str]) -> int:
        """End all sign-ins of these addresses, and return how many there were."""
        wanted = set(emails)
        with self._lock:
            ended = [secret for secret, email in self._emails.items() if email in wanted]
            for secret in ended:
                del self._emails[secret]
        return len(ended)
