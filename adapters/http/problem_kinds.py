"""The kinds of errors, by their stable codes: each one's status, its title, and what its page says."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct


class Kind(Struct, frozen=True):
    """A kind of error: its status, its title, and what its page says."""

    status: HTTPStatus
    title: str
    explanation: str


KINDS: dict[str, Kind] = {
    "not-found": Kind(
        HTTPStatus.NOT_FOUND,
        "Not found",
        "There is nothing at this address, or it belongs to somebody else. Check the ids in the address.",
    ),
    "method-not-allowed": Kind(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "Method not allowed",
        "This address is there, but not for this method. The header `Allow` lists those that work.",
    ),
    "invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "The request is not as it should be",
        "A part of the request (its body, its query or a header) is missing or malformed; `field` names it.",
    ),
    "email-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not a usable e-mail address",
        "`emails` lists the addresses that cannot be used, and nothing was changed. Mend them, and send the request "
        "again.",
    ),
    "group-name-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not a usable group name",
        "A group's name has 1 to 255 characters, none of them a control or bidirectional-override character.",
    ),
    "subscription-name-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not a usable subscription name",
        "A subscription's name has 1 to 255 characters, none of them a control character.",
    ),
    "seats-invalid": Kind(
        HTTPStatus.BAD_REQUEST, "Not a usable number of seats", "A subscription has from 0 to 100,000,000 seats."
    ),
    "role-out-of-scope": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not a role for this scope",
        "Operators have all of Rollcall; administrators, auditors and consumers have a subscription.",
    ),
    "token-name-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not a usable token name",
        "A token's name has 1 to 255 characters, none of them a control character.",
    ),
    "expiry-invalid": Kind(
        HTTPStatus.BAD_REQUEST, "Not a usable expiry", "A token expires at a time to come, or never."
    ),
    "unauthenticated": Kind(
        HTTPStatus.UNAUTHORIZED,
        "Who are you?",
        "Send an API token as `Authorization: Bearer rollcall_…`, or sign in. A token that was revoked or has expired "
        "lets nobody in: ask for a new one.",
    ),
    "forbidden": Kind(
        HTTPStatus.FORBIDDEN,
        "Not for your role",
        "You are known here, but this is for another role. Administrators of the subscription, and operators, can "
        "grant it.",
    ),
    "cross-site": Kind(
        HTTPStatus.FORBIDDEN,
        "From another site",
        "What changes something is taken from Rollcall's own pages, or with an API token. This request came with a "
        "browser's cookie and from elsewhere, or did not say where from (`Sec-Fetch-Site`, `Origin`).",
    ),
    "sign-in-refused": Kind(
        HTTPStatus.FORBIDDEN,
        "You are not signed in",
        "A sign-in is begun and ended in the same browser, within ten minutes. A sign-in link works once, within ten "
        "minutes. An identity provider has to vouch for your e-mail address.",
    ),
    "identity-taken": Kind(
        HTTPStatus.FORBIDDEN,
        "The address belongs to another account",
        "The first account at the identity provider that signs in with an address keeps it, so that nobody who is "
        "given the address later gets what was granted to somebody else. Sign in with the account that you used "
        "before. If there is a new one, whoever runs Rollcall can release the address: "
        "`rollcall identity release EMAIL`.",
    ),
    "provider-away": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The identity provider did not answer",
        "Try again in a moment. What went wrong is in Rollcall's log. Whoever runs Rollcall can let you in by a "
        "sign-in link meanwhile: `rollcall sign-in-link EMAIL`.",
    ),
    "misdirected": Kind(
        HTTPStatus.MISDIRECTED_REQUEST,
        "Not the name of this server",
        "Rollcall answers to the host of its public URL, to the names of loopback, and to plain addresses. Whoever "
        "runs it sets `ROLLCALL_PUBLIC_URL`.",
    ),
    "too-many-requests": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "There are limits to attempts to sign in, to the requests of one token or session, and to the uploads of one "
        "subscription at once. Wait for as many seconds as `Retry-After` says, then try again.",
    ),
    "stale": Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "It has changed since you looked",
        "`If-Match` names a version that is not the present one: somebody changed it. Get it again, look at the "
        "difference, and repeat your request with the new version.",
    ),
    "version-required": Kind(
        HTTPStatus.PRECONDITION_REQUIRED,
        "Say which version you looked at",
        "Send the `ETag` that came with the import or its review as `If-Match`, so that nobody's edit is overwritten.",
    ),
    "wrong-state": Kind(
        HTTPStatus.CONFLICT,
        "Not in this state",
        "An import is reviewed, then committed; it can be edited while it is reviewed, stopped while it is committed, "
        "and continued when it was stopped.",
    ),
    "nothing-to-add": Kind(
        HTTPStatus.CONFLICT,
        "There is nothing to add",
        "No group of this import has a user left who could be added. Allocate licences to its users, or upload another "
        "file.",
    ),
    "something-added": Kind(
        HTTPStatus.CONFLICT,
        "Groups were added already",
        "An import can be discarded only while it has added nothing.",
    ),
    "group-name-taken": Kind(
        HTTPStatus.CONFLICT, "The name is taken", "Another group of the subscription bears this name. Choose another."
    ),
    "seats-exceeded": Kind(
        HTTPStatus.CONFLICT,
        "Not enough seats",
        "Licences are allocated to all of the users or to none. Give seats back, buy more, or allocate to fewer users.",
    ),
    "seats-in-use": Kind(
        HTTPStatus.CONFLICT,
        "More seats are taken",
        "A subscription cannot have fewer seats than licences that are allocated. Revoke licences first.",
    ),
    "not-licensed": Kind(
        HTTPStatus.CONFLICT,
        "Not licensed",
        "Only users who hold a licence can be in groups; `emails` lists those who hold none, and nothing was changed. "
        "Allocate licences to them, or leave them out.",
    ),
    "key-reused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This key was used for something else",
        "An `Idempotency-Key` stands for one request. Use a new key for a new request.",
    ),
    "file-refused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The file cannot be imported",
        "`problems` says what is wrong with the file, at which line and column, and how to mend it. Mend it and upload "
        "it again; nothing was added.",
    ),
    "file-too-large": Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "Too large",
        "The body is larger than its route takes. Send fewer at a time: split a file, each part with the header line.",
    ),
    "unsupported-media-type": Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Not this kind of content",
        "Send the content type that the route takes: a file as `multipart/form-data` in the field `file`, say.",
    ),
    "malformed": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not HTTP as it should be",
        "What came over the connection cannot be read as a request of HTTP/1.1, and the connection was closed. Look at "
        "what is between the client and this server.",
    ),
    "request-timeout": Kind(
        HTTPStatus.REQUEST_TIMEOUT,
        "The request did not come in time",
        "A part of the request was awaited for half a minute, and the connection was closed. Nothing was done. Send it "
        "again, without a pause.",
    ),
    "headers-too-large": Kind(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The head of the request is too large",
        "The first line and the headers of a request have 64 KiB at most, all together.",
    ),
    "busy": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Busy",
        "Others changed the same things again and again, or the database was not there. Try again in a moment.",
    ),
    "internal": Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something unexpected happened",
        "This is our mistake. Report it with the request's id, which is in the response and in our logs.",
    ),
}
