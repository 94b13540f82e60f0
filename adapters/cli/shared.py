"""What every command shares: its options, Rollcall running in this process, and who is asking."""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click

from adapters.composition import Rollcall, composed
from adapters.settings import read_settings
from adapters.worker import Worker
from application.records import Actor, Origin
from domain.errors import NotFound
from domain.naming import printable
from projections.directory import read as directory
from projections.reports.sentences import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projections.directory.read import SubscriptionRow

MOST = 100_000_000


def _limit(_context: click.Context, _option: click.Parameter, value: int) -> int | None:
    if not 0 <= value <= MOST:
        raise click.BadParameter(f"it must be from 0 to {MOST:,}.")
    return value or None


def one_more(limit: int | None) -> int | None:
    """Return how many rows to ask for, so as to tell whether there are more than are shown; None for no limit."""
    return None if limit is None else limit + 1


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
limit_option = click.option(
    "--limit", type=int, metavar="N", default=100, callback=_limit, help="How many to show instead of 100; 0 shows all."
)
subscription_option = click.option(
    "--subscription", "-s", "name_or_id", metavar="NAME_OR_ID", required=True, help="The subscription's name or id."
)
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@contextmanager
def running(*views: str, commits: bool = False) -> Iterator[Rollcall]:
    """Run Rollcall in this process, these views caught up (all, if none is named)."""
    with composed(read_settings(os.environ)) as rollcall:
        at_once = rollcall.settings.worker_commits if commits else 0
        parts = (rollcall.projectors, rollcall.locks, rollcall.wakeups, rollcall.views)
        with Worker(rollcall, *parts, commits=at_once):
            if not rollcall.health.catch_up(*views):
                click.echo("The views are still catching up: what you see may be behind.", err=True)
            yield rollcall


def me(subscription_id: UUID, import_id: UUID | None = None) -> Origin:
    """Return the origin of what this command changes: whoever runs it on this machine."""
    try:
        login = printable(pwd.getpwuid(os.getuid()).pw_name)  # not what LOGNAME says, which anybody can set
    except KeyError:  # an account that nobody has named, as in many containers
        login = f"uid {os.getuid()}"
    return Origin(subscription_id, Actor("operator", login, login), f"cli-{uuid4()}", import_id)


def find_subscription(rollcall: Rollcall, name_or_id: str) -> SubscriptionRow:
    """Return the subscription that bears a name or an id; raises NotFound, and a usage error if several do."""
    with rollcall.views() as cursor:
        found = directory.subscriptions(cursor, name_or_id=name_or_id)
    if not found:
        raise NotFound(what="subscription", id=f"“{name_or_id}”")
    if len(found) > 1:
        ids = "\n".join(f"  {each.id}  {counted(each.seats, 'seat')}" for each in found)
        raise click.UsageError(f"{len(found)} subscriptions are named “{name_or_id}”. Give the id of one:\n{ids}")
    return found[0]


def content_of(file: Path, limit: int) -> bytes:
    """Return a file's bytes, no more than one beyond the limit: the reader refuses what is too large."""
    try:
        with file.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise click.UsageError(f"The file “{file}” cannot be read: {error.strerror}.") from error


def time_of(at: datetime) -> str:
    """Return a time in UTC, as tables show it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
