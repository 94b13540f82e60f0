"""The options and arguments that several commands take."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import click

from adapters.as_of import end_of_day

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


def time_given(value: str) -> date:
    """Return the day or time that was given; fails with a usage error."""
    try:
        return datetime.fromisoformat(value) if len(value) > len("2026-03-01") else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"“{value}” is not a date, nor a date and time such as 2025-12-31T23:59:59.") from None


def _past_time(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Return a time that has passed: the end of a day, or None, for now, if that is today."""
    if value is None:
        return None
    now, given = datetime.now(UTC), time_given(value)
    if not isinstance(given, datetime):
        if given > now.date():
            raise click.BadParameter("this day is still to come.")
        return end_of_day(given) if given < now.date() else None
    at = given if given.tzinfo else given.replace(tzinfo=UTC)
    if at > now:
        raise click.BadParameter("this time is still to come.")
    return at


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
at_option = click.option(
    "--at",
    metavar="TIME",
    callback=_past_time,
    help="As it was then: at the end of a day, or at a time such as 2025-12-31T23:59:59 (UTC).",
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

many_file_option = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with more of them, one on each line.",
)
only_tell_option = click.option("--dry-run", is_flag=True, help="Only tell what would happen.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Don't ask.")


search_option = click.option("--search", metavar="TEXT", help="All whose name or address contains this text.")
everything_option = click.option("--all", "everything", is_flag=True, help="All of them.")


def chosen_by_filter(named: tuple[str, ...], file: Path | None, *filters: object) -> bool:
    """Return whether filters choose what to change; fails with a usage error if something is named as well."""
    given = any(each is not None and each is not False for each in filters)
    if given and (named or file):
        raise click.UsageError("Either name them, or choose them by options such as --search and --all.")
    return given


def named_or_listed(named: tuple[str, ...], file: Path | None, what: str, limit: int) -> list[str]:
    """Return what was named on the command line and in a file, each once; fails with a usage error if that is none."""
    content = content_of(file, limit) if file else b""
    if len(content) > limit:
        raise click.UsageError(f"“{file}” is too large.")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"“{file}” isn't valid UTF-8.") from error
    found = [each.strip() for each in (*named, *lines) if each.strip()]
    if not found:
        raise click.UsageError(f"Name at least one {what}, or give a --file, --search TEXT or --all.")
    return list(dict.fromkeys(found))


def content_of(file: Path, limit: int) -> bytes:
    """Return a file's bytes, at most one more than `limit`, which is enough to refuse it as too large."""
    try:
        with file.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise click.UsageError(f"Can't read “{file}”: {error.strerror}.") from error
