"""The examples in the OpenAPI document: one import of Contoso, from its upload to its report."""

from __future__ import annotations

from typing import Any

SUBSCRIPTION = "7c1c6b52-0d0e-4a3f-9a55-3f0f5a1f4f10"
IMPORT = "0b8f9c46-93a3-4a83-8a0a-6a1f1dbb7f3e"
GROUP = "5a4cf2fd-4f0c-5d0a-9a39-9a7a7d0f2a11"
AT = "2026-01-31T09:00:00Z"
ACTOR = {"kind": "administrator", "id": "ann", "name": "Ann Lee"}
COUNTS = {"rows": 2, "groups": 2, "users": 3, "memberships": 4, "problems": {"email-invalid": 1}, "rows_not_read": 1}
PROGRESS = {
    "groups_total": 2,
    "groups_added": 1,
    "groups_skipped": 0,
    "users_added": 2,
    "eta_seconds": 1.5,
    "last_error": None,
    "groups_undone": 0,
    "groups_deleted": 0,
    "groups_kept": 0,
    "users_removed": 0,
    "groups_created": 1,
    "groups_added_to": 0,
    "groups_joined": 0,
    "groups_unchanged": 0,
    "users_already_there": 0,
    "users_left_out": 0,
}
PROBLEM = {
    "severity": "error",
    "code": "email-invalid",
    "line": 3,
    "column": 3,
    "header": "Email",
    "value": "nonsense",
    "message": "“nonsense” is not a valid e-mail address. It has no @-sign.",
    "remedy": "Correct the address. Each cell holds one address, such as ann@example.com.",
    "count": 1,
    "examples": [],
}

PARAMETERS: dict[str, Any] = {
    "Idempotency-Key": "2f1f8e3a-upload-1",
    "If-Match": '"2"',
    "Last-Event-ID": "4",
    "q": "sales",
    "limit": 100,
    "from": AT,
    "to": "2026-02-28T17:30:00+01:00",
    "at": "2026-03-01T17:30:00+01:00",
    "severity": "error",
    "type": "GroupRenamed",
}

BODIES: dict[str, Any] = {
    "Closing": {"reason": "The contract ended."},
    "ErasingRequest": {"without_export": "It was a test."},
    "NewSubscription": {"name": "Contoso", "seats": 500},
    "NewLicences": {"users": [{"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}]},
    "UnlicensedChoice": {"emails": "all", "group": 1},
    "SubscriptionChange": {"name": "Contoso Ltd", "seats": 600},
    "NewGroup": {"name": "Sales Europe", "users": ["ann@example.com"]},
    "NewUsers": {"emails": ["ben@example.com", "cem@example.com"]},
    "SelectedGroups": {"ids": [GROUP]},
    "SelectedUsers": {"emails": ["ben@example.com", "cem@example.com"]},
    "SelectedMembers": {"emails": ["ben@example.com"]},
    "NewName": {"name": "Sales Europe"},
    "ChosenEncoding": {"encoding": "windows-1250"},
    "EditsBody": {
        "edits": [
            {"edit": "correct", "old": "eve@@example.com", "new": "eve@example.com"},
            {"edit": "add", "group": 1, "email": "ben@example.com"},
            {"edit": "rename", "group": 1, "name": "Sales Europe"},
        ]
    },
    "PersonToForget": {"email": "carla@example.com"},
    "NewGrant": {"email": "ann@example.com", "role": "administrator"},
    "TokenRequest": {"name": "Nightly sync", "role": "consumer", "subscription_id": SUBSCRIPTION},
}

TEXTS = {
    "licences": "email,FirstName,LastName\nann@example.com,Ann,Lee\n",
    "sample": "Groupname,Email,Email\nSales,ann@example.com,ben@example.com\n",
    "report": "line,row,column,group,user,outcome,reason\r\n2,,2,Sales,ann@example.com,added,\r\n",
    "rows not added": "Groupname,Email,Email,Reason\r\nSales,eve@example.com,,No licence.\r\n",
    "lines": '{"name":"Sales","users":["ann@example.com","ben@example.com"]}\n',
    "progress": "event: progress\ndata: "
    '{"state":"completed","groups_total":2,"groups_added":2,"groups_skipped":0,"users_added":3,"eta_seconds":null,'
    '"last_error":null,"groups_undone":0,"groups_deleted":0,"groups_kept":0,"users_removed":0,"groups_created":2,'
    '"groups_added_to":0,"groups_joined":0,"groups_unchanged":0,"users_already_there":0,"users_left_out":0,'
    '"rows_not_read":0}\nid: 4\n\n',
}

TEXTS["checkpoint"] = (
    "rollcall.example.com/log\n1024\n1VGYSFbJ2XUA8H1+cqX8zO0jMXYGlVOMWNkFuQFG0lI=\n\n— rollcall.example.com/log "
    "T7mKqA2fD0e7t6cPj0mZ0pOqZB8ivmcV7y2f1E9Z5N8KXhT7ibrYk3fV4n1cQ8JdS2hG6vWm0uLr9xAbCdEfGhIjKlM=\n"
)

TOKEN = {
    "id": "2e0f7f36-3f55-4f0a-8d5f-0c9f9d3d2b1c",
    "subscription_id": SUBSCRIPTION,
    "name": "Nightly sync",
    "role": "consumer",
    "issuer": "ann@example.com",
    "issued_at": AT,
    "issued_by": {"kind": "administrator", "id": "ann@example.com", "name": "Ann Lee"},
    "expires_at": "2027-01-31T09:00:00Z",
    "revoked_at": None,
    "last_used_at": None,
}

ADDED = {
    "at": AT,
    "actor": ACTOR,
    "source": {
        "import_id": IMPORT,
        "file_name": "groups.csv",
        "group": 1,
        "line": 2,
        "column": 3,
        "in_file": "ann@@example.com",
        "edited_by": ACTOR,
        "edited_at": AT,
    },
}

SCHEMAS: dict[str, Any] = {
    "SubscriptionDocument": {
        "id": SUBSCRIPTION,
        "name": "Contoso",
        "seats": 500,
        "seats_taken": 3,
        "seats_free": 497,
        "state": "open",
        "closed_at": None,
    },
    "AllocatedDocument": {
        "allocated": 2,
        "already_allocated": 1,
        "refused": [],
        "passed_over": ["Groupname"],
        "seats": {"seats": 500, "taken_before": 3, "taken_after": 5, "missing": 0},
    },
    "UnlicensedUser": {"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "licensed_as": ""},
    "LicenceRow": {"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "allocated_at": AT},
    "GroupRow": {"id": GROUP, "name": "Sales", "users": 2, "created_at": AT, "import_id": IMPORT},
    "JoinedDocument": {"added": ["ben@example.com"], "already_there": ["cem@example.com"]},
    "ManyDocument": {
        "text": "Deletes 12 groups; 40 users leave them.",
        "users": 40,
        "groups": 12,
        "memberships": 52,
        "missing": [],
        "remaining": 0,
        "digest": "8d82d3d459efe86ce4578fedd05944f81fe7c7441d89eebe54b0ca5bd1a4ff1c",
        "done": 12,
        "not_done": 0,
        "kept": [],
    },
    "MemberDocument": {"email": "ann@example.com", "added": ADDED},
    "UserGroupDocument": {
        "id": GROUP,
        "name": "Sales",
        "users": 2,
        "created_at": AT,
        "import_id": IMPORT,
        "added": ADDED,
    },
    "GroupHistoryRow": {
        "version": 2,
        "at": AT,
        "actor": ACTOR,
        "request_id": "2f1f8e3a-0c4b-4d6e-9a57-3b1d8c5e7f20",
        "client_request_id": None,
        "type": "UsersAddedToGroup",
        "text": "Added ann@example.com to the group",
        "data": {"users": ["ann@example.com"]},
        "import_id": IMPORT,
        "import_group": 1,
    },
    "ImportDocument": {
        "id": IMPORT,
        "subscription_id": SUBSCRIPTION,
        "file_name": "groups.csv",
        "size_bytes": 97,
        "sha256": "8d82d3d459efe86ce4578fedd05944f81fe7c7441d89eebe54b0ca5bd1a4ff1c",
        "state": "reviewing",
        "format": "group_based",
        "encoding": "utf-8",
        "delimiter": ",",
        "version": 2,
        "counts": COUNTS,
        "progress": {**PROGRESS, "groups_added": 0, "users_added": 0, "eta_seconds": None},
        "uploaded_by": ACTOR,
        "uploaded_at": AT,
        "updated_at": AT,
        "undone_by": None,
    },
    "UndoDocument": {
        "groups_deleted": 2,
        "groups_reduced": 1,
        "users_removed": 9,
        "groups_kept": 1,
        "kept": [
            {
                "number": 4,
                "group_id": GROUP,
                "name": "Sales",
                "users_removed": 0,
                "users_kept": 2,
                "changes": 1,
                "changed_by": [{"at": AT, "actor": ACTOR, "text": "Added ben@example.com to the group"}],
            }
        ],
    },
    "ReviewedGroup": {
        "number": 1,
        "name": "Sales Europe",
        "name_in_file": "Sales",
        "status": "new",
        "users": 2,
        "problems": 0,
        "outcome": "creates",
        "joins": None,
        "to_add": 2,
        "already_there": 0,
        "not_licensed": 0,
        "removed": 0,
        "left_out": False,
    },
    "PlanDocument": {
        "version": 2,
        "digest": "0" * 64,
        "text": "Creates 1 group: 2 users. Leaves out 1 user without a licence.",
        "groups": {"creates": 1, "adds_to": 0, "joins": 0, "unchanged": 0, "nobody_to_add": 0, "left_out": 0},
        "memberships": {"to_add": 2, "already_there": 0, "not_licensed": 1, "removed": 0},
        "users": {"to_add": 2, "already_there": 0, "not_licensed": 1},
        "rows_not_read": 1,
        "same_file_as": [],
    },
    "EncodingDocument": {
        "encoding": "windows-1252",
        "guessed": True,
        "choices": [
            {
                "encoding": "windows-1252",
                "name": "Western European (Windows-1252)",
                "samples": ["Jiøí", "Úèetní oddìlení"],
            },
            {
                "encoding": "windows-1250",
                "name": "Central European (Windows-1250)",
                "samples": ["Jiří", "Účetní oddělení"],
            },
        ],
    },
    "ReviewedUser": {
        "email": "ann@example.com",
        "first_name": "",
        "last_name": "",
        "status": "to_add",
        "line": 2,
        "column": 2,
        "licensed_as": "",
    },
    "ProblemRow": PROBLEM,
    "AddedDocument": {
        "number": 1,
        "group_id": GROUP,
        "name": "Sales Europe",
        "outcome": "created",
        "created": True,
        "joins": False,
        "users_added": 2,
        "users_already_there": 0,
        "left_out": 0,
        "added_at": AT,
        "undo": None,
        "reason": None,
    },
    "HistoryRow": {
        "version": 3,
        "at": AT,
        "actor": ACTOR,
        "request_id": "2f1f8e3a-0c4b-4d6e-9a57-3b1d8c5e7f20",
        "client_request_id": "nightly-sync-7",
        "type": "GroupRenamed",
        "text": "Renamed group “Sales” of the file to “Sales Europe”",
        "data": {"group": 1, "old": "Sales", "new": "Sales Europe"},
        "change": {
            "kind": "renamed",
            "groups": [1],
            "name": "Sales Europe",
            "before": "Sales",
            "after": "Sales Europe",
            "users": [],
        },
    },
    "AuditDocument": {
        "stream": IMPORT,
        "version": 3,
        "at": AT,
        "actor": ACTOR,
        "request_id": "2f1f8e3a-0c4b-4d6e-9a57-3b1d8c5e7f20",
        "client_request_id": "nightly-sync-7",
        "type": "GroupRenamed",
        "text": "Renamed group “Sales” of the file to “Sales Europe”",
        "import_id": IMPORT,
        "group_id": None,
    },
    "OperationDocument": {
        "at": AT,
        "actor": {"kind": "operator", "id": "root", "name": "root"},
        "request_id": "cli-2f1f8e3a-0c4b-4d6e-9a57-3b1d8c5e7f20",
        "client_request_id": None,
        "type": "AccessGranted",
        "text": "Granted ann@example.com the administrator role",
        "subscription_id": SUBSCRIPTION,
    },
    "ForgottenDocument": {
        "person": "forgotten-0f1e2d3c4b5a6978@forgotten.invalid",
        "records": 12,
        "groups": 3,
        "imports": 2,
        "files": 2,
        "everywhere": True,
        "licence": False,
        "roles": 0,
        "tokens": 0,
    },
    "GrantRow": {
        "email": "ann@example.com",
        "role": "administrator",
        "granted_at": AT,
        "granted_by": {"kind": "operator", "id": "root", "name": "root"},
    },
    "TokenDocument": TOKEN,
    "IssuedDocument": {**TOKEN, "token": "rollcall_" + "Lg9_" * 16},
    "ProblemDocument": {
        "type": "/problems/stale",
        "title": "Changed since you last saw it",
        "status": 412,
        "detail": "This has changed since you loaded it: you saw version 2, and it is now at version 3. "
        "Review the changes, then try again.",
        "request_id": "2f1f8e3a-0c4b-4d6e-9a57-3b1d8c5e7f20",
    },
    "Readiness": {"status": "ready", "views": {"directory": 0, "review": 0}, "rebuilding": []},
    "CloudEvent": {
        "specversion": "1.0",
        "id": "1-9f86d081884c7d65",
        "source": f"/api/v1/subscriptions/{SUBSCRIPTION}",
        "type": "group.created",
        "subject": f"groups/{GROUP}",
        "time": AT,
        "datacontenttype": "application/json",
        "data": {"name": "Sales Europe", "users": ["ann@example.com", "ben@example.com"]},
    },
}
