"""What may name a person beside the log, the blobs and the views: claims, snapshots, keys of requests, sign-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from adapters.postgres.personal_data import StoredBlob, blobs_naming
from adapters.postgres.rights import role_keys
from application.ports import ENDS, RUNS, Conflict
from domain.access import ROLLCALL
from domain.errors import ImportRunning
from domain.naming import group_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.personal_data import Found
    from domain.forgetting import Redaction

STARTS, STOPS = ([str(each.__struct_config__.tag) for each in kinds] for kinds in (RUNS, ENDS))


def require_ended(cursor: Cursor[DictRow], scope: UUID, email: str, found: Found) -> None:
    """Raise Conflict if a person has a licence or a role again, and ImportRunning if an import is using their data."""
    cursor.execute(
        "SELECT FROM claims WHERE subscription_id = %s"
        " AND ((kind = 'licence' AND key = %s) OR (kind = 'role' AND key = ANY(%s)))",
        (scope, email, role_keys(email)),
    )
    if cursor.rowcount:
        raise Conflict
    imports = list({each.stream for each in found.records if each.topic.startswith("import.")})
    cursor.execute(
        "SELECT DISTINCT ON (originator_id) originator_id AS id, topic FROM events"
        " WHERE originator_id = ANY(%s) AND topic = ANY(%s) ORDER BY originator_id, originator_version DESC",
        (imports, [*STARTS, *STOPS]),
    )
    running = [row["id"] for row in cursor if row["topic"] in STARTS]
    if running:
        raise ImportRunning(id=running[0])


def running_import(cursor: Cursor[DictRow], scope: UUID, person: Redaction) -> UUID | None:
    """Return an import that runs and names a person: in its file, in its review, or by who started it."""
    running = cursor.execute(
        "SELECT import_id, format ->> 'roster' AS roster FROM imports WHERE subscription_id = %s"
        " AND state IN ('committing', 'undoing') ORDER BY import_id",
        (scope,),
    ).fetchall()
    for each in running:
        if blobs_naming(cursor, scope, person, [StoredBlob("roster", each["roster"])]):
            return UUID(str(each["import_id"]))
        texts = cursor.execute(
            "SELECT convert_from(e.state, 'UTF8') AS event, a.origin::text AS origin"
            " FROM events AS e JOIN appends AS a ON a.position = e.append_position WHERE e.originator_id = %s"
            " AND (convert_from(e.state, 'UTF8') ILIKE ANY(%s) OR a.origin::text ILIKE ANY(%s))",
            (each["import_id"], person.patterns, person.patterns),
        )
        if any(person.names_in(row["event"]) or person.names_in(row["origin"]) for row in texts):
            return UUID(str(each["import_id"]))
    return None


def erase_other_texts(
    cursor: Cursor[DictRow],
    scope: UUID,
    person: Redaction,
    found: Found,
    renamed: Iterable[tuple[UUID, str, str]],
) -> None:
    """Erase a person from these, once the records are rewritten."""
    for group_id, before, after in renamed:
        cursor.execute(
            "UPDATE claims SET key = stored_key_1(%s) WHERE subscription_id = %s AND kind = 'group-name'"
            " AND key = stored_key_1(%s) AND stream_id = %s",
            (group_key(after), scope, group_key(before), group_id),
        )
    cursor.execute(
        "DELETE FROM snapshots WHERE originator_id = ANY(%s)", (list({each.stream for each in found.records}),)
    )
    # A fingerprint is the digest of a request, so whoever guesses the request could confirm it.
    cursor.execute(
        "UPDATE request_keys SET fingerprint = gen_random_uuid() WHERE subscription_id = %s"
        " AND at IN (SELECT at FROM appends WHERE position = ANY(%s))",
        (scope, list({each.append for each in found.records})),
    )
    for table, key, text, where in (
        ("request_keys", "key", "key", "subscription_id = %(scope)s"),
        ("commit_failures", "import_id", "message", "import_id = ANY(%(imports)s)"),
    ):
        _redact_column(cursor, table, key, text, where, scope, person, found)
    if scope == ROLLCALL:
        cursor.execute("DELETE FROM sessions WHERE email = %s", (person.email,))
        cursor.execute("DELETE FROM tickets WHERE content::text ILIKE ANY(%s)", (person.patterns,))


def _redact_column(
    cursor: Cursor[DictRow],
    table: str,
    key: str,
    text: str,
    where: str,
    scope: UUID,
    person: Redaction,
    found: Found,
) -> None:
    wanted = {
        "scope": scope,
        "imports": list({each.stream for each in found.records}),
        "patterns": person.patterns,
    }
    query = f"SELECT {key} AS key, {text} AS text FROM {table} WHERE {text} ILIKE ANY(%(patterns)s) AND {where}"
    for row in cursor.execute(query, wanted).fetchall():
        cursor.execute(
            f"UPDATE {table} SET {text} = %(new)s WHERE {key} = %(key)s AND {where}",
            {**wanted, "key": row["key"], "new": person.text(row["text"])},
        )
