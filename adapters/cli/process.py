"""This process: Rollcall opened in it, who runs it, and how it was started."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from adapters.composed_worker import composed_worker
from adapters.composition import Rollcall, composed
from adapters.settings import read_settings
from application.records import Actor, Origin
from domain.naming import printable

LOOK_SECONDS = 0.2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

PROGRAM = "rollcall"


@contextmanager
def open_rollcall(*views: str, commits: bool = False) -> Iterator[Rollcall]:
    """Open Rollcall with a worker in this process, once these views (all, if you name none) are up to date."""
    with composed(read_settings(os.environ)) as rollcall, composed_worker(rollcall, commits=commits):
        if not rollcall.health.catch_up(*views):
            click.echo("The views are still catching up. What you see may be out of date.", err=True)
        yield rollcall


def operator_origin(subscription_id: UUID, import_id: UUID | None = None) -> Origin:
    """Return the origin of what this command changes: the account of this machine that runs it."""
    try:
        login = printable(pwd.getpwuid(os.getuid()).pw_name)  # not LOGNAME, which anybody can set
    except KeyError:  # the account has no name, as in many containers
        login = f"uid {os.getuid()}"
    return Origin(subscription_id, Actor("operator", login, login), f"cli-{uuid4()}", import_id)


def wait_for_views(rollcall: Rollcall) -> None:
    """Wait until no view shows what was erased: this process's worker, or another one, rebuilds them."""
    while any(projector.standing() == "lost" for projector in rollcall.projectors):
        sleep(LOOK_SECONDS)


def command_line(*words: str) -> str:
    """Return a `rollcall` command that works as it is printed, in the shell and folder that this one was started in."""
    return shlex.join((_program(), *words))


def _program() -> str:
    script = Path(sys.argv[0]) if Path(sys.argv[0]).name == PROGRAM else Path(sys.executable).with_name(PROGRAM)
    script = script.absolute()
    on_path = shutil.which(PROGRAM)
    if not script.exists() or (on_path and script.samefile(on_path)):
        return PROGRAM
    return min(os.path.relpath(script), str(script), key=len)
