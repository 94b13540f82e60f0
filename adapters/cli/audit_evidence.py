"""The evidence of an import: making it, and checking it without a database."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from rich.text import Text

from adapters.cli.lookup import find_import
from adapters.cli.options import import_argument
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.terminal import DONE, REFUSED, Terminal
from application.recording_downloads import record_download
from domain.downloads import FileDownloaded
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.signed_note import VerifierKey


class BundleDocument(Struct, frozen=True):
    """The result as JSON: what the bundle is about, and what doesn't fit."""

    intact: bool
    subscription_id: str | None
    import_id: str | None
    file_name: str | None
    records: int
    log: str | None
    log_size: int | None
    findings: list[str]


def verify_bundle(terminal: Terminal, bundle: Path, keys: Sequence[VerifierKey]) -> int:
    """Check a bundle, and say what is wrong or what it proves."""
    from adapters.evidence.checking import check_bundle  # late: OpenSSL takes long to load

    if not keys:
        raise click.UsageError("Name the public key of the log with --key. Get it in another way than the bundle.")
    with bundle.open("rb") as file, terminal.busy("Checking the bundle"):
        checked = check_bundle(file, keys)
    manifest, told, checkpoint = checked.manifest, checked.told, checked.checkpoint
    if terminal.as_json:
        terminal.emit(
            BundleDocument(
                intact=not checked.findings,
                subscription_id=manifest.subscription_id if manifest else None,
                import_id=manifest.import_id if manifest else None,
                file_name=told.uploaded.file_name if told and told.uploaded else None,
                records=told.records if told else 0,
                log=checkpoint.origin if checkpoint else None,
                log_size=checkpoint.size if checkpoint else None,
                findings=checked.findings,
            )
        )
    for finding in checked.findings:
        terminal.note(Text("error: ", style="bold red"), finding)
    if checked.findings or not (told and checkpoint and manifest):
        return REFUSED
    if manifest.is_everything:
        terminal.say(
            f"Nobody altered this export of subscription {manifest.subscription_id}. Its"
            f" {counted(told.records, 'record')} are in the log {checkpoint.origin}, as it was signed with"
            f" {counted(checkpoint.size, 'record')}."
        )
        return DONE
    if told.uploaded is None:
        return REFUSED
    terminal.say(f"Nobody altered this bundle. It is the evidence of the import of “{told.uploaded.file_name}”.")
    terminal.say(
        f"{counted(told.records, 'record')}, {counted(told.events, 'event')} of the import itself. They are in the log"
        f" {checkpoint.origin}, as it was signed with {counted(checkpoint.size, 'record')}."
    )
    terminal.say(f"Import {manifest.import_id} of subscription {manifest.subscription_id}: {told.state.lower()}.")
    return DONE


@click.command("evidence", short_help="Write the evidence of an import to a file")
@import_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. By default, evidence-ID.zip in this folder.",
)
def audit_evidence(*, import_id: str, output: Path | None) -> int:
    """Write the evidence of the import ID to a file: its file, its events, and the proof that the log has them.

    “rollcall audit verify FILE --key PUBLIC_KEY” checks it anywhere, without the database. The page index.html in it is
    for people. That you make it is recorded in the audit log.
    """
    from adapters.evidence.bundle import write_bundle  # late, as above

    terminal = Terminal(as_json=False)
    with open_rollcall() as rollcall:
        row = find_import(rollcall, import_id)
        path = output or Path(f"evidence-{row.id}.zip")
        with TemporaryFile() as file:
            with terminal.busy("Collecting the evidence"):
                write_bundle(rollcall, row, file)
            downloaded = FileDownloaded("evidence", f"evidence-{row.id}.zip")
            record_download(rollcall, operator_origin(row.subscription_id, row.id), downloaded)
            file.seek(0)
            with path.open("wb") as out:
                copyfileobj(file, out)
    terminal.say(f"Wrote {path}.")
    return DONE
