"""The store's SQL: one statement or script per file of the folder `sql`.

`create_*.sql` are run when the store is migrated, the others are what the event store asks. Statements of a line or two
stand in the method that runs them; the views keep their SQL beside their handlers.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from psycopg.sql import SQL


@cache
def statement(name: str) -> SQL:
    """Return `sql/<name>.sql`: `format` fills in identifiers and literals in braces, values are bound as `%(name)s`."""
    return SQL((files("adapters.postgres") / "sql" / f"{name}.sql").read_text(encoding="utf-8"))
