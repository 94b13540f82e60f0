"""The options and arguments that several commands take."""

from __future__ import annotations

import re
from pathlib import Path

import click

MOST = 100_000_000
SHORTEST_ID = 4
ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},32}}")


def _limit(_context: click.Context, _option: click.Parameter, value: int) -> int | None:
    if not 0 <= value <= MOST:
        raise click.BadParameter(f"it must be from 0 to {MOST:,}.")
    return value or None


def one_more(limit: int | None) -> int | None:
    """Return how many rows to ask for to find out whether there are more than `limit`; None if there is no limit."""
    return None if limit is None else limit + 1


def short_id(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return the digits of an id or of its beginning, without hyphens; fails with a usage error for anything else."""
    if value is not None and (digits := id_digits(value)) is None:
        raise click.BadParameter(f"“{value}” is not an id. Give an id, or its first {SHORTEST_ID} or more characters.")
    return digits if value is not None else None


def id_digits(text: str) -> str | None:
    """Return the hexadecimal digits of an id or of its beginning; None if the text cannot be one."""
    digits = text.strip().lower().replace("-", "")
    return digits if ID.fullmatch(digits) else None


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
limit_option = click.option(
    "--limit", type=int, metavar="N", default=100, callback=_limit, help="Show at most N rows (100 by default; 0: all)."
)
subscription_option = click.option(
    "--subscription", "-s", "name_or_id", metavar="NAME_OR_ID", required=True, help="The subscription, by name or id."
)
import_argument = click.argument("import_id", metavar="ID", callback=short_id)
scope_option = click.option(
    "--subscription",
    "-s",
    "name_or_id",
    metavar="NAME_OR_ID",
    help="The subscription, by name or id. Leave it out for operators.",
)
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def content_of(file: Path, limit: int) -> bytes:
    """Return a file's bytes, at most one more than `limit`, which is enough to refuse it as too large."""
    try:
        with file.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise click.UsageError(f"Can't read “{file}”: {error.strerror}.") from error
