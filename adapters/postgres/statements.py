"""The event store's SQL: one statement a file, in the folder `sql`. Its tables are in `sql/migrations`.

Statements of a line or two stand in the method that runs them; the views keep their SQL beside their handlers.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from projections.packed import PackedStatement


@cache
def statement(name: str) -> str:
    """Return `sql/<name>.sql`; values are bound as `%(name)s`."""
    return (files("adapters.postgres") / "sql" / f"{name}.sql").read_text("utf-8")


@cache
def packed_statement(name: str) -> PackedStatement:
    """Return `sql/<name>.sql` as one whose values we pack ourselves; they are bound as `$1` and so on."""
    return PackedStatement(statement(name).encode())
