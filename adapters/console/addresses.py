"""The e-mail addresses that people type or paste into a form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.addresses import parse_email
from domain.errors import EmailInvalid, Refused
from domain.naming import printable
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.composition import Rollcall

NO_LICENCE = "No licence in this subscription."


class UnusableAddress(Struct, frozen=True):
    """An address that can't be added to a group, and why."""

    email: str
    reason: str


class EmailMissing(Refused):
    """Enter an e-mail address."""

    code = "email-invalid"


def split_addresses(entered: str) -> list[str]:
    """Return the addresses in a text, which spaces, commas, semicolons or new lines separate.

    Mail programs copy `Lee, Ann <ann@example.com>`, so in a text with angle brackets, words without an @ are names.
    """
    words = [word for word in re.split(r"[\s,;<>]+", entered) if word]
    return [word for word in words if "@" in word] if "<" in entered else words


def require_addresses(entered: str) -> list[str]:
    """Return the addresses in a text; raises EmailMissing if there are none."""
    if not (found := split_addresses(entered)):
        raise EmailMissing
    return found


def unusable_addresses(rollcall: Rollcall, subscription_id: UUID, emails: Iterable[str]) -> list[UnusableAddress]:
    """Return which of these addresses can't be added to a group, in their order."""
    reasons: dict[str, str | None] = {}
    for email in emails:
        try:
            reasons[parse_email(email, rollcall.private_domains)] = None
        except EmailInvalid as error:
            reasons[printable(email)] = str(error.fields["reason"])
    with rollcall.views() as rows:
        valid = [email for email, reason in reasons.items() if not reason]
        unlicensed = directory.unlicensed_emails(rows, subscription_id, valid)
    reasons |= dict.fromkeys(unlicensed, NO_LICENCE)
    return [UnusableAddress(email, reason) for email, reason in reasons.items() if reason]
