"""One tree of errors. A class's docstring is its message, filled from its fields; its code is stable.

Codes are part of the interface: add, never rename.
"""

from __future__ import annotations

from inspect import getdoc
from typing import ClassVar


class RollcallError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(" ".join((getdoc(type(self)) or "").format(**fields).split()))


class Refused(RollcallError):
    """This cannot be done."""

    code = "refused"


class NotFound(Refused):
    """There is no {what} {id}."""

    code = "not-found"


class Stale(Refused):
    """This was decided on version {expected}, but it is at version {actual} by now: somebody else changed it.

    Look at it again, then repeat what you want.
    """

    code = "stale"


class GroupRenamedMeanwhile(Stale):
    """Somebody else renamed this group from “{expected}” to “{actual}” while you looked at it.

    So yours was not done. If you still want it, do it once more.
    """


class WrongState(Refused):
    """{said}."""

    code = "wrong-state"


class NothingToAdd(Refused):
    """There is nothing to add: {reason}."""

    code = "nothing-to-add"


class SomethingAdded(Refused):
    """This import has already added {groups} groups and cannot be discarded. Delete those groups instead."""

    code = "something-added"


class EmailInvalid(Refused):
    """“{email}” is not an e-mail address that can be used: {reason}"""

    code = "email-invalid"


class EmailsInvalid(Refused):
    """These are no e-mail addresses that can be used: {named}. Nothing was changed: mend them or leave them out."""

    code = "email-invalid"


class GroupNameInvalid(Refused):
    """“{name}” cannot name a group: {reason}"""

    code = "group-name-invalid"


class GroupNameTaken(Refused):
    """There is already a group named “{name}”. Choose another name, or add the users to that group."""

    code = "group-name-taken"


class SubscriptionNameInvalid(Refused):
    """“{name}” cannot name a subscription: {reason}"""

    code = "subscription-name-invalid"


class SeatsInvalid(Refused):
    """{seats} is no number of seats: it must be {reason}."""

    code = "seats-invalid"


class SeatsExceeded(Refused):
    """{wanted} seats are needed, but only {free} of {seats} are free. Give seats back or buy more."""

    code = "seats-exceeded"


class SeatsInUse(Refused):
    """{taken} seats are taken, so there cannot be only {seats}. Revoke licences first."""

    code = "seats-in-use"


class NotLicensed(Refused):
    """Without a licence in this subscription: {named}. Nothing was changed: allocate licences or leave them out."""

    code = "not-licensed"


class RoleOutOfScope(Refused):
    """The role “{role}” cannot be held there: operators have all of Rollcall, other roles a subscription: name it."""

    code = "role-out-of-scope"


class TokenNameInvalid(Refused):
    """“{name}” cannot name a token: use 1 to {limit} characters, none of them a control character."""

    code = "token-name-invalid"


class ExpiryInvalid(Refused):
    """A token cannot expire at {expires_at}. Choose a time to come, before the year 9999."""

    code = "expiry-invalid"


class IdentityTaken(Refused):
    """{email} belongs to another account at the identity provider than the one that you signed in with just now.

    Sign in with the account that you used before. If you have a new one, ask whoever runs Rollcall to release the
    address: “rollcall identity release {email}”.
    """

    code = "identity-taken"


class KeyReused(Refused):
    """The Idempotency-Key of this request was used for another request before. Use a new one."""

    code = "key-reused"


class Busy(RollcallError):
    """Others changed the same things again and again while this was being decided. Try again in a moment."""

    code = "busy"
