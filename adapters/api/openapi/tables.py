"""What the API's description says beyond the handlers' types: names, tags, headers, bytes."""

from __future__ import annotations

from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]

TAGS = {
    "Subscriptions": "What customers bought: a name and a number of seats.",
    "Licences": "Who holds the seats.",
    "Imports": "Upload a file, review it, correct it, add its groups, watch, stop.",
    "Groups": "The groups of a subscription and their users.",
    "Following": "What auditors and other systems read.",
    "Access": "Who may do what: roles of people in a subscription, and API tokens.",
    "Samples": "The files to fill in.",
    "Operations": "Whether it lives, and how it does.",
}

OPERATIONS = {
    "upload": "uploadImport",
    "show_file": "downloadFile",
    "rename": "renameReviewedGroup",
    "remove": "removeReviewedUser",
    "commit": "commitImport",
    "progress": "followProgress",
    "report": "downloadReport",
    "sample": "downloadSample",
    "problem_page": "explainProblem",
}
"""What the operations of these handlers are called; all others are called as the handler is."""

HEADERS: dict[str, Node] = {
    "X-Request-Id": {
        "description": "The request's id: the one that was sent along, or a new one. Our logs tell it too.",
        "schema": {"type": "string", "minLength": 1},
        "required": True,
    },
    "Link": {
        "description": 'Where the next page is, as `<…>; rel="next"` (RFC 8288); absent on the last page.',
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version of the import: send it as `If-Match` with what changes it.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "required": True,
    },
    "Location": {"description": "Where it is.", "schema": {"type": "string"}, "required": True},
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "required": True,
    },
    "WWW-Authenticate": {
        "description": "How to say who asks (RFC 6750).",
        "schema": {"type": "string"},
        "required": True,
    },
    "Cache-Control": {"description": "Not to be kept.", "schema": {"const": "no-store"}, "required": True},
    "Content-Disposition": {
        "description": "What to call the file.",
        "schema": {"type": "string"},
        "required": True,
    },
}

SENT: dict[str, dict[str, tuple[str, ...]]] = {
    "createSubscription": {"201": ("Location",), "202": ("Location",)},
    "changeSubscription": {"202": ("Location",)},
    "allocateLicences": {"202": ("Location",)},
    "revokeLicence": {"202": ("Location",)},
    "createGroup": {"201": ("Location",), "202": ("Location",)},
    "renameGroup": {"202": ("Location",)},
    "deleteGroup": {"202": ("Location",)},
    "addGroupUsers": {"202": ("Location",)},
    "removeGroupUser": {"202": ("Location",)},
    "uploadImport": {"201": ("Location", "ETag"), "202": ("Location",)},
    "showImport": {"200": ("ETag",)},
    "listReviewedGroups": {"200": ("ETag",)},
    "listReviewedUsers": {"200": ("ETag",)},
    "renameReviewedGroup": {"200": ("ETag",), "202": ("Location", "ETag")},
    "removeReviewedUser": {"204": ("ETag",), "202": ("Location", "ETag")},
    "discardImport": {"204": ("ETag",), "202": ("Location", "ETag")},
    "commitImport": {"202": ("Location", "ETag")},
    "stopImport": {"200": ("ETag",)},
    "grantAccess": {"202": ("Location",)},
    "revokeAccess": {"202": ("Location",)},
    "issueToken": {"201": ("Cache-Control",), "200": ("Cache-Control",)},
    "revokeToken": {"202": ("Location",)},
    "downloadFile": {"200": ("Content-Disposition",)},
    "downloadReport": {"200": ("Content-Disposition",)},
    "downloadSample": {"200": ("Content-Disposition",)},
}
"""The headers that the answers of an operation bear by their status, beside those that all bear."""

LATER = (
    "renameReviewedGroup",
    "removeReviewedUser",
    "discardImport",
    "uploadImport",
    "revokeLicence",
    "deleteGroup",
    "removeGroupUser",
)
"""Which operations may answer 202 without content, where their handlers cannot say so."""

TOLD_LATER = ("commitImport", "allocateLicences", "addGroupUsers")
"""Whose answer has content although the effect cannot be read yet."""

SECURITY: dict[str, Node] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "rollcall_…",
        "description": "An API token: `rollcall token create`, or `POST /api/v1/tokens`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "description": "The session of a browser whose person signed in at `/sign-in`. What changes anything is taken "
        "from Rollcall's own pages alone (`Sec-Fetch-Site`, `Origin`).",
    },
}
"""The ways to say who asks. What the cookie is called depends on where Rollcall serves."""

BINARY: Node = {"type": "string", "format": "binary"}
EVENT: Node = {
    "type": "object",
    "description": "One of the events of the stream (HTML, server-sent events).",
    "properties": {
        "event": {"const": "progress"},
        "id": {"type": "string", "description": "Send it as `Last-Event-ID` to go on behind this event."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/ProgressDocument"},
        },
    },
}
NO_NUL = "^[^\\u0000]*$"
VERSION = '^\\s*("[0-9]{1,18}"|[0-9]{1,18})\\s*$'
