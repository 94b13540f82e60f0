"""Repairing what can be made again of the tree over the log."""

from __future__ import annotations

import os

import click

from adapters.cli.terminal import DONE, Terminal
from adapters.composition import composed
from adapters.settings import read_settings
from projections.reports.wording import counted


@click.command("repair", short_help="Make the upper nodes of the tree again")
def audit_repair() -> int:
    """Make the upper nodes of the tree over the log again from its leaves, where they are damaged.

    Records, leaves and checkpoints stay as they are. Run “rollcall audit verify” afterwards: it says whether the tree
    is the one that was signed.
    """
    terminal = Terminal(as_json=False)
    with composed(read_settings(os.environ)) as rollcall, terminal.busy("Making the nodes of the tree again"):
        count = rollcall.sealed_log.rebuild_nodes()
    if count:
        terminal.say(f"Made {counted(count, 'node')} again. Now run “rollcall audit verify”.")
    else:
        terminal.say("No node of the tree was damaged.")
    return DONE
