"""What the OpenAPI document says beyond the handlers' types: names, tags, headers, bytes."""

from __future__ import annotations

from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]

TAGS = {
    "Subscriptions": "A subscription has a name and a number of seats.",
    "Licences": "A licence gives a user one of the subscription's seats.",
    "Imports": "Upload a file, review and correct it, add its groups, follow the progress, stop, finish, undo.",
    "Groups": "The groups of a subscription and their users.",
    "Persons": "What is held of a person, and forgetting them.",
    "Exports": "Files of everything in a subscription.",
    "Following": "The audit log for auditors with its proofs, and events for other systems.",
    "Access": "People's roles in a subscription, and API tokens.",
    "Samples": "Sample files to fill in.",
    "Operations": "Health and metrics.",
}

OPERATIONS = {
    "upload": "uploadImport",
    "show_file": "downloadFile",
    "rename": "renameReviewedGroup",
    "remove": "removeReviewedUser",
    "leave_out": "leaveReviewedGroupOut",
    "take_in": "takeReviewedGroupIn",
    "commit": "commitImport",
    "undo": "undoImport",
    "progress": "followProgress",
    "report": "downloadReport",
    "rows_not_added": "downloadRowsNotAdded",
    "export_file": "downloadExport",
    "export_group_users": "downloadGroupUsers",
    "sample": "downloadSample",
    "problem_page": "explainProblem",
}
"""The operation ids of these handlers; those of all others derive from the handler's name."""

PATHS = {
    "/api/v1/subscriptions/{subscription_id}/users/{email}": (
        "/api/v1/subscriptions/{subscription_id}/users/{email}/groups"
    ),
    "/api/v1/subscriptions/{subscription_id}/persons/{email}": (
        "/api/v1/subscriptions/{subscription_id}/persons/{email}/export"
    ),
}
"""What follows an address in a path, which the framework doesn't know."""

HEADERS: dict[str, Node] = {
    "X-Request-Id": {
        "description": "Rollcall's id of the request. It is in the log and the audit log, beside any id that you sent.",
        "schema": {"type": "string", "minLength": 1},
        "required": True,
    },
    "Link": {
        "description": 'The next page, as `<…>; rel="next"` (RFC 8288). The last page has no `Link`.',
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version of the import. Send it as `If-Match` with requests that change the import.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "required": True,
    },
    "Location": {"description": "The address of the resource.", "schema": {"type": "string"}, "required": True},
    "Retry-After": {
        "description": "How many seconds to wait before you try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "required": True,
    },
    "RateLimit-Limit": {
        "description": "How many requests a minute this token, session or client can send.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "RateLimit-Remaining": {
        "description": "How many requests this token, session or client can still send now.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "RateLimit-Reset": {
        "description": "In how many seconds the token, session or client has its whole limit again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750).",
        "schema": {"type": "string"},
        "required": True,
    },
    "Cache-Control": {"description": "Don't store this response.", "schema": {"const": "no-store"}, "required": True},
    "Content-Disposition": {
        "description": "The name of the file.",
        "schema": {"type": "string"},
        "required": True,
    },
}

QUOTA_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""The headers of each answer to a request that was counted against a token or session."""

RESPONSE_HEADERS: dict[str, dict[str, tuple[str, ...]]] = {
    "createSubscription": {"201": ("Location",), "202": ("Location",)},
    "changeSubscription": {"202": ("Location",)},
    "closeSubscription": {"202": ("Location",)},
    "eraseSubscription": {"202": ("Location",)},
    "allocateLicences": {"202": ("Location",)},
    "licenseUsers": {"202": ("Location",)},
    "listUnlicensed": {"200": ("ETag",)},
    "downloadUnlicensed": {"200": ("Content-Disposition",)},
    "revokeLicence": {"202": ("Location",)},
    "forgetPerson": {"202": ("Location",)},
    "createGroup": {"201": ("Location",), "202": ("Location",)},
    "renameGroup": {"202": ("Location",)},
    "deleteGroup": {"202": ("Location",)},
    "addGroupUsers": {"202": ("Location",)},
    "removeGroupUser": {"202": ("Location",)},
    "deleteGroups": {"202": ("Location",)},
    "revokeLicences": {"202": ("Location",)},
    "removeGroupUsers": {"202": ("Location",)},
    "uploadImport": {"201": ("Location", "ETag"), "202": ("Location", "ETag")},
    "showImport": {"200": ("ETag",)},
    "showPlan": {"200": ("ETag",)},
    "listReviewedGroups": {"200": ("ETag",)},
    "listReviewedUsers": {"200": ("ETag",)},
    "showEncoding": {"200": ("ETag",)},
    "editImport": {"200": ("ETag",), "202": ("Location", "ETag")},
    "chooseEncoding": {"200": ("ETag",), "202": ("Location", "ETag")},
    "renameReviewedGroup": {"200": ("ETag",), "202": ("Location", "ETag")},
    "removeReviewedUser": {"204": ("ETag",), "202": ("Location", "ETag")},
    "leaveReviewedGroupOut": {"204": ("ETag",), "202": ("Location", "ETag")},
    "takeReviewedGroupIn": {"204": ("ETag",), "202": ("Location", "ETag")},
    "discardImport": {"204": ("ETag",), "202": ("Location", "ETag")},
    "commitImport": {"202": ("Location", "ETag")},
    "showUndo": {"200": ("ETag",)},
    "undoImport": {"202": ("Location", "ETag")},
    "stopImport": {"200": ("ETag",), "202": ("Location", "ETag")},
    "closeImport": {"200": ("ETag",), "202": ("Location", "ETag")},
    "grantAccess": {"201": ("Location",), "202": ("Location",)},
    "revokeAccess": {"202": ("Location",)},
    "showReadiness": dict.fromkeys(("200", "429", "503"), QUOTA_HEADERS),
    "issueToken": {"201": ("Cache-Control",), "200": ("Cache-Control",)},
    "revokeToken": {"202": ("Location",)},
    "downloadFile": {"200": ("Content-Disposition",)},
    "downloadReport": {"200": ("Content-Disposition",)},
    "downloadEvidence": {"200": ("Content-Disposition",)},
    "downloadEverything": {"200": ("Content-Disposition",)},
    "downloadRowsNotAdded": {"200": ("Content-Disposition",)},
    "downloadExport": {"200": ("Content-Disposition",)},
    "downloadGroupUsers": {"200": ("Content-Disposition",)},
    "downloadSample": {"200": ("Content-Disposition",)},
}
"""The headers of an operation's responses by status, beside those that every response has."""

SECURITY: dict[str, Node] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "rollcall_…",
        "description": "An API token. Create one with `rollcall token create` or `POST /api/v1/tokens`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "description": "The session of a browser in which someone signed in at `/sign-in`. Requests that change "
        "something must come from Rollcall's own pages (`Sec-Fetch-Site`, `Origin`).",
    },
}
"""The ways to authenticate. The name of the cookie depends on the public URL."""

BINARY: Node = {"type": "string", "format": "binary"}
STREAM: Node = {
    "type": "string",
    "description": "Server-sent events (HTML). Each is called `progress`, and its data is a `ProgressDocument` as "
    "JSON. Send its id as `Last-Event-ID` to continue after it.",
}
NO_NUL = "^[^\\u0000]*$"
