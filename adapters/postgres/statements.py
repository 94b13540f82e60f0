"""The store's SQL, in the files of the folder `sql`: one statement each, or a script of several.

`create_*.sql` are run when the store is migrated, the others are what the event store asks. Statements of a line or two
stand in the method that runs them; the views keep their SQL beside their handlers.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from psycopg.sql import SQL

from projections.view import statements_of


@cache
def statement(name: str) -> SQL:
    """Return `sql/<name>.sql`: `format` fills in identifiers and literals in braces, values are bound as `%(name)s`."""
    return SQL(_text(name))


def script(name: str) -> list[str]:
    """Return the statements of `sql/<name>.sql`, to be sent one at a time."""
    return statements_of(_text(name))


def _text(name: str) -> str:
    return (files("adapters.postgres") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
