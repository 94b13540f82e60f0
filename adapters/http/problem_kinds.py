"""The kinds of problems by their stable codes: status, title, and what the page about them says."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct


class Kind(Struct, frozen=True):
    """A kind of problem: its status, its title, and what its page says. `code` in backticks is shown as code."""

    status: HTTPStatus
    title: str
    explanation: str


KINDS: dict[str, Kind] = {
    "not-found": Kind(
        HTTPStatus.NOT_FOUND,
        "Not found",
        "Nothing exists at this address, or you don't have access to it. Check the ids in the address.",
    ),
    "event-lost": Kind(
        HTTPStatus.GONE,
        "Event lost",
        "You passed the id of a group event that Rollcall no longer has, because its database was restored to an "
        "earlier state. Discard what you built from the events and follow them from the beginning: leave `after` out. "
        "If you keep the ids you have read, you can also go on from the last one that is accepted.",
    ),
    "file-erased": Kind(
        HTTPStatus.GONE,
        "File erased",
        "The uploaded file was erased, because it had been kept for as long as files are kept, or because it named a "
        "person who was forgotten. Its digest, and what was read from it, are still there.",
    ),
    "method-not-allowed": Kind(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "Method not allowed",
        "This address doesn't support the request's method. The `Allow` header lists the methods it supports.",
    ),
    "invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Invalid request",
        "Part of the request (the body, the query or a header) is missing or malformed. `field` names that part.",
    ),
    "email-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Invalid e-mail address",
        "The addresses in `emails` aren't valid. Nothing was changed. Correct them and send the request again.",
    ),
    "group-name-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Invalid group name",
        "A group name has 1 to 255 characters, without control characters and bidirectional overrides.",
    ),
    "subscription-name-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Invalid subscription name",
        "A subscription name has 1 to 255 characters, without control characters.",
    ),
    "seats-invalid": Kind(
        HTTPStatus.BAD_REQUEST, "Invalid number of seats", "A subscription can have from 0 to 100,000,000 seats."
    ),
    "role-out-of-scope": Kind(
        HTTPStatus.BAD_REQUEST,
        "Role not available here",
        "Operators manage the whole of Rollcall. Administrators, auditors and consumers belong to one subscription.",
    ),
    "token-name-invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "Invalid token name",
        "A token name has 1 to 255 characters, without control characters. It can't be an e-mail address, so that "
        "nobody takes the token for a person.",
    ),
    "expiry-invalid": Kind(
        HTTPStatus.BAD_REQUEST, "Invalid expiry", "A token expires at a time in the future, or never."
    ),
    "token-chain-too-long": Kind(
        HTTPStatus.CONFLICT,
        "Too many tokens in a row",
        "A token can issue another one, and that one the next, but at most 8 tokens can stand behind a token. Use an "
        "earlier token of the chain, or sign in.",
    ),
    "unauthenticated": Kind(
        HTTPStatus.UNAUTHORIZED,
        "Authentication required",
        "Send an API token as `Authorization: Bearer rollcall_…`, or sign in. If your token was revoked or has "
        "expired, ask for a new one.",
    ),
    "forbidden": Kind(
        HTTPStatus.FORBIDDEN,
        "Not allowed for your role",
        "This needs another role than yours. Ask an administrator of the subscription, or an operator, to grant it.",
    ),
    "cross-site": Kind(
        HTTPStatus.FORBIDDEN,
        "Cross-site request blocked",
        "To change something, a request must come from one of Rollcall's own pages or carry an API token. This one "
        "came from another site, or a program sent it with a browser's cookie (`Sec-Fetch-Site`, `Origin`).",
    ),
    "sign-in-refused": Kind(
        HTTPStatus.FORBIDDEN,
        "You are not signed in",
        "Finish signing in within ten minutes, in the browser you started in. A sign-in link works once, within ten "
        "minutes. An identity provider must confirm that your e-mail address is yours.",
    ),
    "identity-taken": Kind(
        HTTPStatus.FORBIDDEN,
        "Address belongs to another account",
        "The first account that signs in with an address keeps it. This way, a person who is given the address later "
        "doesn't inherit the access of the person before. Sign in with the account you used before. If you have a new "
        "account, ask an operator to release the address with `rollcall identity release EMAIL`.",
    ),
    "provider-away": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Identity provider unavailable",
        "Try again in a moment. Rollcall's log says what went wrong. Until the provider is back, an operator can let "
        "you in with `rollcall sign-in-link EMAIL`.",
    ),
    "misdirected": Kind(
        HTTPStatus.MISDIRECTED_REQUEST,
        "Unknown host name",
        "Rollcall answers to the host name of its public URL, to loopback names and to IP addresses. To serve another "
        "name, set `ROLLCALL_PUBLIC_URL`.",
    ),
    "too-many-requests": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "Rollcall limits how often you can try to sign in, how many requests a token or session can send, and how many "
        "uploads a subscription can have at once. Wait the number of seconds in `Retry-After`, then try again.",
    ),
    "stale": Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "Changed since you last saw it",
        "The version in `If-Match` is out of date: someone has made a change since. Get the current version, check "
        "what changed, and repeat your request with the new version.",
    ),
    "plan-changed": Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "Plan changed",
        "The import would now do something else than the plan says whose digest you sent: a group was created, renamed "
        "or deleted, or users joined groups or lost their licences. Or you wanted to change many groups or users at "
        "once, and by now they are others. Nothing was changed. Get the plan again, check it, and repeat your request "
        "with its digest.",
    ),
    "version-required": Kind(
        HTTPStatus.PRECONDITION_REQUIRED,
        "Version required",
        "Send the `ETag` of the import or of its review as `If-Match`, so that you don't overwrite other people's "
        "changes.",
    ),
    "wrong-state": Kind(
        HTTPStatus.CONFLICT,
        "Not possible in this state",
        "You can edit an import while it is in review, stop it while its groups are being added or undone, continue or "
        "finish it after it was stopped, and undo it once it is completed, finished or stopped.",
    ),
    "import-running": Kind(
        HTTPStatus.CONFLICT,
        "Import running",
        "A person can't be forgotten while an import that names them adds groups or is undone, and a "
        "subscription can't be closed while any import does. Wait until it has ended, or stop it, and try again.",
    ),
    "subscription-closed": Kind(
        HTTPStatus.CONFLICT,
        "Subscription closed",
        "Nothing can be changed in a subscription that is closed. You can still read and export everything in it until "
        "it is erased, and revoke roles and tokens.",
    ),
    "subscription-open": Kind(
        HTTPStatus.CONFLICT, "Subscription not closed", "Only a closed subscription can be erased. Close it first."
    ),
    "not-exported": Kind(
        HTTPStatus.CONFLICT,
        "Not exported",
        "A subscription is exported after it was closed and before it is erased. Export it, or say why nobody "
        "needs its data.",
    ),
    "name-not-typed": Kind(
        HTTPStatus.BAD_REQUEST,
        "Not confirmed",
        "Type the name of the subscription, so that you don't close another one.",
    ),
    "reason-invalid": Kind(
        HTTPStatus.BAD_REQUEST, "Invalid reason", "A reason has up to 1,000 characters, without control characters."
    ),
    "nothing-to-add": Kind(
        HTTPStatus.CONFLICT,
        "Nothing to add",
        "No group in this import has a user who can be added. Allocate licences to its users, or upload another file.",
    ),
    "nothing-to-undo": Kind(
        HTTPStatus.CONFLICT,
        "Nothing to undo",
        "This import added no users to any group, so there is nothing to take back.",
    ),
    "not-sealed": Kind(
        HTTPStatus.CONFLICT,
        "Not sealed yet",
        "No checkpoint vouches for these records yet, or the one that you name was signed before them. Checkpoints are "
        "signed at least every minute while a worker runs. Try again then.",
    ),
    "no-signing-key": Kind(
        HTTPStatus.CONFLICT,
        "No key to sign with",
        "Evidence is signed, and this server has no key. Operators: set `ROLLCALL_CHECKPOINT_KEY` for web processes, "
        "too, not only for workers.",
    ),
    "something-added": Kind(
        HTTPStatus.CONFLICT,
        "Groups already added",
        "You can discard an import only while it has added nothing. Finish it to keep what it has added, or undo it.",
    ),
    "edits-in-the-way": Kind(
        HTTPStatus.CONFLICT,
        "Already edited",
        "You can choose another encoding only while nothing of the import has been edited. Upload the file again, and "
        "choose the encoding first.",
    ),
    "encoding-uncertain": Kind(
        HTTPStatus.CONFLICT,
        "Uncertain encoding",
        "The file doesn't say how its text is encoded. Check how its names read, and choose another encoding if they "
        "look wrong.",
    ),
    "encoding-unfit": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Unfit encoding",
        "The file has bytes that mean nothing in this encoding, or isn't a roster in it. Choose another one.",
    ),
    "group-name-taken": Kind(
        HTTPStatus.CONFLICT, "Group name taken", "The subscription already has a group with this name. Choose another."
    ),
    "seats-exceeded": Kind(
        HTTPStatus.CONFLICT,
        "Not enough seats",
        "Licences are allocated to all of the users or to none. Revoke licences, add seats, or allocate fewer.",
    ),
    "seats-in-use": Kind(
        HTTPStatus.CONFLICT,
        "Seats in use",
        "A subscription can't have fewer seats than allocated licences. Revoke licences first.",
    ),
    "not-licensed": Kind(
        HTTPStatus.CONFLICT,
        "No licence",
        "Only users with a licence can be in groups. `emails` lists the users without one. Nothing was changed. "
        "Allocate licences to them, or leave them out.",
    ),
    "key-reused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Key already used",
        "An `Idempotency-Key` identifies one request. Use a new key for a new request.",
    ),
    "file-refused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "File refused",
        "Rollcall can't use the file, and nothing was added. `problems` lists what is wrong, with line, column and how "
        "to fix it. Fix the file and upload it again.",
    ),
    "file-too-large": Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "Too large",
        "The body is larger than this route accepts. Send less at a time: split a file into several, each with the "
        "header line.",
    ),
    "unsupported-media-type": Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported content type",
        "Send the content type that this route accepts. To import a file, for example, send `multipart/form-data` with "
        "the file in the field `file`.",
    ),
    "malformed": Kind(
        HTTPStatus.BAD_REQUEST,
        "Malformed HTTP",
        "The server received something that isn't a valid HTTP/1.1 request, and closed the connection. Check any proxy "
        "between the client and this server.",
    ),
    "request-timeout": Kind(
        HTTPStatus.REQUEST_TIMEOUT,
        "Request timed out",
        "The rest of the request didn't arrive for half a minute, so the server closed the connection. Nothing was "
        "done. Send the request again without pausing.",
    ),
    "headers-too-large": Kind(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Request headers too large",
        "The first line and the headers of a request can have 64 KiB in total.",
    ),
    "busy": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Busy",
        "Too many people are changing this at the same time, or the database is unavailable. Try again in a moment.",
    ),
    "storage-full": Kind(
        HTTPStatus.INSUFFICIENT_STORAGE,
        "No room for the file",
        "The server's disk for temporary files is full. Nothing was recorded. Operators: the server's log names the "
        "folder. Free some space there, or set `TMPDIR` to a folder with more of it and start Rollcall again.",
    ),
    "internal": Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Unexpected error",
        "Something went wrong in Rollcall. Report it with the request id, which is in the response and in the server's "
        "log.",
    ),
}
