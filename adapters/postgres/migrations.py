"""Migrations: the store's tables and functions, in numbered SQL files that are applied in order, once each.

The views' tables are not among them: a view creates its own, and is rebuilt when they change. Why it is done this way:
docs/decisions/0012-migrations.md.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.errors import RollcallError
from projections.view import statements_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection
    from psycopg.rows import DictRow


class SchemaNewer(RollcallError):
    """The schema “{schema}” belongs to a newer version of Rollcall: this one doesn't know its migration {newer}.

    Install the newer version here too. To go back to this version, restore the backup from before the upgrade.
    """

    code = "database-newer"


class SchemaForeign(RollcallError):
    """Rollcall can't use the schema “{schema}”: {reason}.

    Let Rollcall have a new one: set ROLLCALL_DATABASE_SCHEMA, or ROLLCALL_DATA_DIR if Rollcall runs PostgreSQL itself.
    If you don't need what is in it, you can also delete it: DROP SCHEMA {schema} CASCADE.
    """

    code = "database-foreign"


class Migration(Struct, frozen=True):
    """A file `sql/migrations/<number>_<name>.sql`, and the SHA-256 of its bytes."""

    number: int
    name: str
    sha256: str
    script: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations, in order."""
    folder = files("adapters.postgres") / "sql" / "migrations"
    return tuple(
        Migration(int(file.name[:4]), file.name[5:-4], sha256(file.read_bytes()).hexdigest(), file.read_text("utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
    )


def apply_migrations(connection: Connection[DictRow], schema: str, known: Sequence[Migration]) -> None:
    """Apply the migrations that a schema lacks, each in a transaction of its own that also records it.

    The connection holds the migration lock. Raises SchemaNewer and SchemaForeign.
    """
    for migration in known[_count_applied(connection, schema, known) :]:
        with connection.transaction():
            for statement in statements_of(migration.script):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations (number, name, sha256) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.sha256),
            )


def continue_positions(connection: Connection[DictRow]) -> None:
    """Let the next event come after the last one, also where the events were brought without their sequence.

    Logical replication copies rows, but no sequences (PostgreSQL's documentation, "Logical Replication",
    "Restrictions"), and servers are moved and upgraded with it. Each append would then take a position that is taken.
    While others append, this changes nothing: a sequence in use is never behind the events that can be seen.
    """
    connection.execute(
        "SELECT setval('positions', log.last) FROM positions, (SELECT max(notification_id) AS last FROM events) AS log "
        "WHERE last_value - (NOT is_called)::int < log.last"
    )


def _count_applied(connection: Connection[DictRow], schema: str, known: Sequence[Migration]) -> int:
    """Return how many migrations were applied; raises SchemaForeign if they are not the first ones that are known."""
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (schema,)
    ).fetchall()
    names = [row["tablename"] for row in tables]
    if names and "migrations" not in names:
        found = "a Rollcall from before its first release" if "rollcall_events" in names else "something else"
        raise SchemaForeign(schema=schema, reason=f"it holds tables of {found}, such as “{names[0]}”")
    if not names:
        return 0
    applied = connection.execute("SELECT number, name, sha256 FROM migrations ORDER BY number").fetchall()
    for row, migration in zip(applied, known, strict=False):
        if row["sha256"] != migration.sha256:
            reason = f"it was prepared by another build, whose migration {row['number']} ({row['name']}) is different"
            raise SchemaForeign(schema=schema, reason=reason)
    if len(applied) > len(known):
        newer = applied[len(known)]
        raise SchemaNewer(schema=schema, newer=f"{newer['number']} ({newer['name']})")
    return len(applied)
