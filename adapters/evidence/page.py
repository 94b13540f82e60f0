"""The page of an evidence bundle: what it proves, for people. It needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct, field

from adapters.evidence.contents import CHECKPOINT, EVENTS, MANIFEST, PROOF, REPORT, ROSTERS, UPLOAD
from application.records import Record, decode_event, decode_origin
from domain import import_session
from domain.import_session import FileUploaded, FormatDetected, ImportSession
from domain.leaves import Frame
from domain.signed_note import unverified
from projections.reports.history import EventRow, event_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.evidence.contents import EvidenceRecord, Listed

MOST_SHOWN = 1_000
MEANINGS = {
    UPLOAD: "The file, exactly as it was uploaded.",
    EVENTS: "Each event of the import and of the groups that it changed, on a line of its own, as it is sealed.",
    ROSTERS: "What Rollcall read from the file.",
    REPORT: "The result of each row of the file.",
    CHECKPOINT: "The signed statement about the whole log that the proof leads to.",
    PROOF: "The proof that the log has these events.",
}


class Told(Struct):
    """What the records tell, as far as the page needs it."""

    subscription_id: UUID
    import_id: UUID
    records: int = 0
    events: int = 0
    shown: list[EventRow] = field(default_factory=list)
    uploaded: FileUploaded | None = None
    read: FormatDetected | None = None
    rosters: list[str] = field(default_factory=list)
    session: ImportSession | None = None

    def take(self, recorded: EvidenceRecord) -> None:
        """Add what a record tells; raises ValueError if it is none that Rollcall can have stored."""
        frame = Frame.parse(recorded.frame)
        self.records += 1
        if frame.stream != self.import_id:
            return
        event, origin = decode_event(recorded.event), decode_origin(recorded.origin)
        record = Record(frame.stream, frame.version, frame.at, origin, event, frame.position, frame.import_group)
        self.events += 1
        self.session = import_session.fold(self.session, [event])
        if isinstance(event, FileUploaded):
            self.uploaded = event
        if isinstance(event, FormatDetected):
            self.read = event
            if event.roster not in self.rosters:
                self.rosters.append(event.roster)
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(event_row(record))

    @property
    def state(self) -> str:
        """Return how the import stands, for people."""
        tag = str(type(self.session).__struct_config__.tag) if self.session else ""
        return tag.replace("_", " ").capitalize()


def render(told: Told, note: str, files: Sequence[Listed], why_gone: str = "") -> bytes:
    """Return the page; `why_gone` says why the uploaded file isn't there, if it was erased."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    meanings = [(file, _meaning(file.name)) for file in files]
    html = template.render(
        told=told, checkpoint=unverified(note), note=note, files=meanings, manifest=MANIFEST, why_gone=why_gone
    )
    return html.encode()


def _meaning(name: str) -> str:
    return next(text for begin, text in MEANINGS.items() if name.startswith(begin))
