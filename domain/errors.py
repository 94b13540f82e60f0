"""One tree of errors. A class's docstring is its message, filled in from its fields; its code is stable.

Codes are part of the interface: add codes, never rename them.
"""

from __future__ import annotations

from inspect import getdoc
from typing import ClassVar, Literal, TypeAlias


class RollcallError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(" ".join((getdoc(type(self)) or "").format(**fields).split()))


class Refused(RollcallError):
    """This can't be done."""

    code = "refused"


class NotFound(Refused):
    """There is no {what} {id}."""

    code = "not-found"


class Stale(Refused):
    """This has changed since you loaded it: you saw version {expected}, and it is now at version {actual}.

    Review the changes, then try again.
    """

    code = "stale"


class GroupRenamedMeanwhile(Stale):
    """Meanwhile this group has been renamed from “{expected}” to “{actual}”, so your change was not made.

    If you still want it, try again.
    """


ImportCommand: TypeAlias = Literal["edit", "plan", "commit", "stop", "discard", "close", "undo"]
"""What an administrator can ask of an import."""

AFTER_UNDO: dict[ImportCommand, str] = {
    "edit": "so you can't edit it any more. Upload a corrected file.",
    "commit": "so you can't add its groups any more. Upload the file again.",
    "discard": "so there is nothing to discard.",
    "close": "so there is nothing to finish.",
}

WRONG_STATES: dict[tuple[ImportCommand, str], str] = {
    ("edit", "committing"): "The groups of this import are being added, so you can't edit it any more. "
    "Once they are added, change the groups themselves.",
    ("edit", "stopped"): "This import has started to add its groups, so you can't edit it any more. "
    "Continue it, or upload a corrected file.",
    ("edit", "completed"): "The groups of this import have been added, so you can't edit it any more. "
    "Change the groups themselves.",
    ("edit", "rejected"): "The file of this import was refused, so there is nothing to edit. "
    "Fix the file and upload it again.",
    ("edit", "closed"): "This import was finished, so you can't edit it any more. Change the groups themselves.",
    ("edit", "discarded"): "This import was discarded, so you can't edit it any more. Upload the file again.",
    ("commit", "committing"): "The groups of this import are already being added.",
    ("plan", "uploaded"): "At this version the file was stored but not read yet, so nothing was planned.",
    ("plan", "committing"): "The groups of this import are being added. See its progress.",
    ("plan", "completed"): "This import is completed, so nothing is planned any more. See what was added.",
    ("plan", "closed"): "This import was finished, so nothing is planned any more. See what was added.",
    ("plan", "discarded"): "This import was discarded, so nothing is planned.",
    ("plan", "undoing"): "This import is being undone, so nothing is planned any more.",
    ("plan", "partly_undone"): "This import is undone in part, so nothing is planned any more.",
    ("plan", "undone"): "This import was undone, so nothing is planned any more.",
    ("plan", "rejected"): "The file of this import was refused, so nothing is planned.",
    ("commit", "completed"): "The groups of this import have already been added.",
    ("commit", "rejected"): "The file of this import was refused, so there is nothing to add. "
    "Fix the file and upload it again.",
    ("commit", "closed"): "This import was finished, so you can't add the groups that remained. Upload the file again.",
    ("commit", "discarded"): "This import was discarded, so you can't add its groups any more. Upload the file again.",
    ("stop", "reviewing"): "This import hasn't started to add its groups, so there is nothing to stop.",
    ("stop", "rejected"): "The file of this import was refused, so there is nothing to stop.",
    ("stop", "discarded"): "This import was discarded, so there is nothing to stop.",
    ("discard", "committing"): "The groups of this import are being added, so you can't discard it. Stop it first.",
    ("discard", "completed"): "This import is complete, so you can't discard it any more. "
    "If you don't want what it added, undo it.",
    ("discard", "closed"): "This import was finished, so you can't discard it any more. "
    "If you don't want what it added, undo it.",
    ("discard", "rejected"): "The file of this import was refused, so there is nothing to discard.",
    ("close", "reviewing"): "This import hasn't started to add its groups, so there is nothing to finish. "
    "Add the groups, or discard it.",
    ("close", "committing"): "The groups of this import are being added, so you can't finish it yet. Stop it first.",
    ("close", "completed"): "This import is complete, so there is nothing to finish.",
    ("close", "rejected"): "The file of this import was refused, so there is nothing to finish.",
    ("close", "discarded"): "This import was discarded, so there is nothing to finish.",
    ("undo", "reviewing"): "This import hasn't added anything, so there is nothing to undo. Discard it instead.",
    ("undo", "committing"): "The groups of this import are being added, so you can't undo it yet. Stop it first.",
    ("undo", "rejected"): "The file of this import was refused, so there is nothing to undo.",
    ("undo", "discarded"): "This import was discarded before it added anything, so there is nothing to undo.",
    ("undo", "undoing"): "This import is already being undone.",
    ("undo", "undone"): "This import has already been undone.",
    **{
        (command, state): f"{what} {text}"
        for state, what in {
            "undoing": "This import is being undone,",
            "partly_undone": "This import is partly undone,",
            "undone": "This import was undone,",
        }.items()
        for command, text in AFTER_UNDO.items()
    },
}
"""Why a command makes no sense in a state of an import, and what to do instead.

A combination that isn't listed is carried out, or what it asks for is already the case.
"""


class WrongState(Refused):
    """{reason}"""

    code = "wrong-state"

    def __init__(self, command: ImportCommand, state: str) -> None:
        super().__init__(reason=WRONG_STATES[command, state])


class NoRowsRead(Refused):
    """The file of this import was refused, so none of its rows was added. Fix the file and upload it again."""

    code = "wrong-state"


class NothingToAdd(Refused):
    """There is nothing to add: {reason}."""

    code = "nothing-to-add"


class NothingToUndo(Refused):
    """There is nothing to undo: this import added no users to any group."""

    code = "nothing-to-undo"


class SelectionChanged(Refused):
    """What you selected has changed since you saw what would happen. Nothing was changed.

    Check what would happen now, then start again.
    """

    code = "plan-changed"


class PlanChanged(Refused):
    """What this import would do has changed since you saw its plan. Nothing was added.

    Check the plan as it is now, then start again.
    """

    code = "plan-changed"


class SomethingAdded(Refused):
    """This import has already added {groups:,} of its groups, so you can't discard it.

    Finish it to keep them, or undo it.
    """

    code = "something-added"


class EditsInTheWay(Refused):
    """This import has been edited, and reading the file in another encoding would lose the edits.

    Upload the file again and choose the encoding first.
    """

    code = "edits-in-the-way"


class EncodingUnfit(Refused):
    """This file can't be read as {name}. {reason} Choose another encoding."""

    code = "encoding-unfit"


class EncodingUncertain(Refused):
    """The file doesn't say how its text is encoded. It was read as {name}, which may be wrong. Nothing was added.

    Check the names in the review. To say how it is encoded, import it again with --encoding.
    """

    code = "encoding-uncertain"


class EmailInvalid(Refused):
    """“{email}” is not a valid e-mail address. {reason}"""

    code = "email-invalid"


class EmailMissing(EmailInvalid):
    """Enter an e-mail address."""


class EmailsInvalid(Refused):
    """These e-mail addresses are not valid: {named}. Nothing was changed. Correct them or leave them out."""

    code = "email-invalid"


class GroupNameInvalid(Refused):
    """“{name}” is not a valid group name. {reason}"""

    code = "group-name-invalid"


class GroupNameMissing(GroupNameInvalid):
    """Enter a group name."""


class GroupNameTaken(Refused):
    """A group named “{name}” already exists. Choose another name, or add the users to that group."""

    code = "group-name-taken"


class SubscriptionNameInvalid(Refused):
    """“{name}” is not a valid subscription name. Use 1 to {limit} characters, without control characters."""

    code = "subscription-name-invalid"


class SubscriptionNameMissing(SubscriptionNameInvalid):
    """Enter a subscription name."""


class SubscriptionIsClosed(Refused):
    """This subscription is closed, so nothing can be changed in it any more."""

    code = "subscription-closed"


class NothingToDownload(SubscriptionIsClosed):
    """This subscription was erased on {day}, so there is nothing in it to export or download any more."""


class SubscriptionIsOpen(Refused):
    """This subscription isn't closed, so its data can't be erased. Close it first."""

    code = "subscription-open"


class ImportsRunning(Refused):
    """This subscription can't be closed while {what}. Stop that or wait until it has ended, then try again."""

    code = "import-running"


class NameNotTyped(Refused):
    """Nothing was done. To confirm, type the name of the subscription: {name}."""

    code = "name-not-typed"


class NotExported(Refused):
    """Nobody has exported this subscription since it was closed. Nothing was erased.

    Export it first. If nobody needs its data, say why it can be erased without an export.
    """

    code = "not-exported"


class ReasonInvalid(Refused):
    """This reason is not valid. Use up to {limit:,} characters, without control characters."""

    code = "reason-invalid"


class SeatsInvalid(Refused):
    """{seats} is not a valid number of seats. Use {reason}."""

    code = "seats-invalid"


class SeatsExceeded(Refused):
    """Not enough seats: you need {wanted:,}, and {free:,} of {seats:,} are free. No licences were allocated.

    Add {missing:,} more, revoke licences that nobody needs, or allocate fewer.
    """

    code = "seats-exceeded"


class SeatsInUse(Refused):
    """You can't reduce the number of seats to {seats:,} while licences use {taken:,}. Revoke licences first."""

    code = "seats-in-use"


class NotLicensed(Refused):
    """These users have no licence in this subscription: {named}.

    Nothing was changed. Allocate licences to them or leave them out.
    """

    code = "not-licensed"


class RoleOutOfScope(Refused):
    """The role “{role}” can't be granted here.

    The operator role covers all of Rollcall, so don't name a subscription. Every other role needs a subscription.
    """

    code = "role-out-of-scope"


class TokenNameInvalid(Refused):
    """“{name}” is not a valid token name. Use 1 to {limit} characters, without control characters."""

    code = "token-name-invalid"


class TokenNameMissing(TokenNameInvalid):
    """Enter a token name."""


class TokenNameIsAddress(TokenNameInvalid):
    """“{name}” is an e-mail address. Name the token after what uses it, so that it can't be mistaken for a person."""


class TokenChainTooLong(Refused):
    """This token can't issue another one: {limit} tokens already stand behind it, each issued with the one before.

    Use one of those, or sign in.
    """

    code = "token-chain-too-long"


class ExpiryInvalid(Refused):
    """A token can't expire at {expires_at}. Choose a time in the future, before the year 9999."""

    code = "expiry-invalid"


class IdentityTaken(Refused):
    """{email} is linked to another account at your identity provider, not to the one that you just signed in with.

    Sign in with the account that you used before. If it was replaced by a new one, ask an operator to release the
    address with “rollcall identity release {email}”.
    """

    code = "identity-taken"


class KeyReused(Refused):
    """The Idempotency-Key of this request was already used for a different request. Use a new key."""

    code = "key-reused"


class Busy(RollcallError):
    """Too many people are changing this at the same time. Try again in a moment."""

    code = "busy"


class NotShownYet(RollcallError):
    """The console doesn't show everything yet that names this person, so nothing was erased. Try again in a moment.

    If they had a licence, roles or tokens here, these are revoked already.
    """

    code = "busy"


class ImportRunning(Refused):
    """The import {id} is adding groups or being undone, and names this person.

    Wait until it has ended, or stop it. Then try again.
    """

    code = "import-running"


class FileErased(Refused):
    """The file of this import is gone. {why} What was read from it is still here."""

    code = "file-erased"

    @property
    def why(self) -> str:
        """What happened to it, in a sentence."""
        return str(self.fields["why"])
