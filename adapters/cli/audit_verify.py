"""Checking that nobody altered the log, and making the keys that such a check needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from rich.text import Text

from adapters.checkpoints_found import IN_DATABASE, find_checkpoints
from adapters.cli.audit_evidence import verify_bundle
from adapters.cli.options import json_option
from adapters.cli.terminal import DONE, REFUSED, Terminal
from adapters.composition import composed
from adapters.settings import read_settings
from application.verifying import Verified, verify
from domain.signed_note import VerifierKey, parse_verifier_key
from projections.reports.wording import counted

if TYPE_CHECKING:
    from adapters.checkpoints_found import CheckpointsFound
    from adapters.composition import Rollcall
    from application.verifying import Finding

NO_CHECKPOINT = (
    "The records fit the tree, but no checkpoint is signed by a key that you trust, so nothing vouches for the tree."
    " Set ROLLCALL_CHECKPOINT_KEY (see docs/auditing.md), or name a checkpoint and its key with --checkpoint and --key."
)
ONLY_INSIDE = (
    "All these checkpoints come from the database itself. Someone who can write to it can cut off the end of the log"
    " unseen. Name a checkpoint that was kept elsewhere with --checkpoint."
)


class VerifiedDocument(Struct, frozen=True):
    """The result as JSON: how many records fit, for how many of them checkpoints vouch, and what is wrong."""

    intact: bool
    records: int
    covered: int
    erased: int
    checkpoints: int
    finding: str | None
    number: int | None
    last: int | None
    position: int | None
    message: str | None


def _keys(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    try:
        return tuple(map(parse_verifier_key, values))
    except ValueError:
        raise click.BadParameter("it isn't a public key, as “rollcall audit key” prints it.") from None


@click.command("verify", short_help="Check that nobody altered the log, or an evidence bundle")
@click.argument(
    "bundle", metavar="[BUNDLE]", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option(
    "--checkpoint",
    "file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that you kept.",
)
@click.option("--key", "keys", metavar="PUBLIC_KEY", multiple=True, callback=_keys, help="A key that you trust.")
@json_option
def audit_verify(*, bundle: Path | None, file: Path | None, keys: tuple[VerifierKey, ...], as_json: bool) -> int:
    """Check every record of the log against the tree, and the tree against checkpoints.

    With BUNDLE, check the evidence of an import instead. This needs no database, only the log's public key.

    The checkpoints are FILE, those in ROLLCALL_CHECKPOINT_DIR, and those in the database. They count if they are
    signed by ROLLCALL_CHECKPOINT_KEY, by one of ROLLCALL_CHECKPOINT_KNOWN_KEYS, or by a PUBLIC_KEY. If something was
    altered, this names the first record that doesn't fit, and exits with 1.
    """
    terminal = Terminal(as_json=as_json)
    if bundle:
        if file:
            raise click.UsageError("A bundle has its own checkpoint. Leave out --checkpoint.")
        return verify_bundle(terminal, bundle, [*read_settings(os.environ).checkpoints.verifiers(), *keys])
    with composed(read_settings(os.environ)) as rollcall:
        found = find_checkpoints(rollcall.checkpoints, rollcall.settings.checkpoints, file, keys)
        with terminal.busy("Checking the log"):
            result = verify(rollcall.sealed_log, [checkpoint for checkpoint, _ in found.trusted])
        message = _wrong(rollcall, result, found)
        newer = rollcall.sealed_log.count_unsealed() + result.records - result.covered
    if as_json:
        terminal.emit(_document(result, found, message))
    if message:
        terminal.note(Text("error: ", style="bold red"), message)
        return REFUSED
    _say_intact(terminal, result, found, newer)
    return DONE


def _wrong(rollcall: Rollcall, result: Verified, found: CheckpointsFound) -> str | None:
    """Return what is wrong, in a sentence; None if nothing is."""
    if result.finding:
        return _sentence(rollcall, result.finding, found)
    return None if found.trusted else NO_CHECKPOINT


def _sentence(rollcall: Rollcall, finding: Finding, found: CheckpointsFound) -> str:
    number = f"{finding.number:,}"
    record = rollcall.sealed_log.describe(finding.position) if finding.position is not None else None
    which = f"Record {number} (position {finding.position}{f', {record}' if record else ''})"
    checkpoint = finding.checkpoint
    place = next((place for each, place in found.trusted if each == checkpoint), "")
    vouched = f"the checkpoint in {place} vouches for {checkpoint.size:,} records" if checkpoint else ""
    first = f"record {number}" if finding.number == finding.last else f"one from {number} to {finding.last:,}"
    match finding.kind:
        case "altered":
            return f"{which} was altered after it was sealed."
        case "missing":
            return f"{which} is missing: it was sealed, and deleted later."
        case "inserted":
            return f"{which} was inserted later: another record was sealed in this place."
        case "cut":
            return (
                f"The log ends after {finding.last - 1:,} records, but {vouched}. The first that doesn't fit is"
                f" {first}. The end was cut off, or the database was restored to an earlier state."
            )
        case "rewritten":
            return f"Records and tree were rewritten: {vouched} that are others. The first that doesn't fit is {first}."
        case "erased":
            return (
                f"{which} was erased, as when a person is forgotten, but it is not as an event of that says. Somebody"
                " else altered it."
            )
        case "damaged":
            advice = "“rollcall audit repair” makes its upper nodes again." if finding.is_repairable else ""
            return f"The stored tree is damaged from record {number} on. {advice}".rstrip()


def _document(result: Verified, found: CheckpointsFound, message: str | None) -> VerifiedDocument:
    finding = result.finding
    return VerifiedDocument(
        intact=message is None,
        records=result.records,
        covered=result.covered,
        erased=result.erased,
        checkpoints=len(found.trusted),
        finding=finding.kind if finding else None,
        number=finding.number if finding else None,
        last=finding.last if finding else None,
        position=finding.position if finding else None,
        message=message,
    )


def _say_intact(terminal: Terminal, result: Verified, found: CheckpointsFound, newer: int) -> None:
    terminal.say(f"Nobody altered the log: {counted(result.covered, 'record')} are as they were signed.")
    outside = sum(place != IN_DATABASE for _, place in found.trusted)
    terminal.say(f"{counted(len(found.trusted), 'checkpoint')} checked, {outside:,} of them kept outside the database.")
    if result.erased:
        were = "record was" if result.erased == 1 else "records were"
        terminal.say(f"{result.erased:,} {were} rewritten because people were forgotten. Events name them all.")
    if newer:
        terminal.say(f"{counted(newer, 'newer record')} without a checkpoint yet.")
    for many, why in ((found.other_epochs, "of an earlier epoch"), (found.unknown_keys, "signed by unknown keys")):
        if many:
            terminal.note(f"{counted(many, 'checkpoint')} {why}, and not used.")
    if found.are_all_inside:
        terminal.note(ONLY_INSIDE)


@click.command("key", short_help="Make a key that signs checkpoints")
@click.argument("name")
@json_option
def audit_key(*, name: str, as_json: bool) -> int:
    """Make a key pair for checkpoints, and print it. It is stored nowhere.

    NAME is what the log calls itself, such as rollcall.example.com/log. Keep it when you replace a key.
    """
    from adapters.checkpoint_keys import SigningKey  # late: OpenSSL takes long to load

    terminal = Terminal(as_json=as_json)
    try:
        key = SigningKey.generate(name)
    except ValueError:
        raise click.UsageError("A name has no spaces, control characters or “+”.") from None
    if as_json:
        terminal.emit({"private": key.secret(), "public": str(key.verifier)})
    terminal.say(f"private: {key.secret()}")
    terminal.say(f"public:  {key.verifier}")
    terminal.note("Set the private key as ROLLCALL_CHECKPOINT_KEY. Give the public one to everyone who checks the log.")
    return DONE
