"""Rewriting records of the log that name a person, under proof: what was sealed stays proven, and so is what is new."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, NamedTuple

from msgspec import json

from adapters.postgres.sealed_log import tile_of, write_tiles
from domain.forgetting import Erased
from domain.leaves import SALT_BYTES, Kept, Salts, commitment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.personal_data import Naming
    from domain.erasing import Everybody
    from domain.forgetting import Redaction
    from domain.leaves import LeafTile

EVENTS_OF_GROUPS = {"group.created", "group.name-changed", "group.deleted"}


class NewText(NamedTuple):
    """A text before and after, and the salt of the new one."""

    before: bytes
    after: bytes
    salt: bytes

    @property
    def commitment(self) -> str:
        """What stands for the new text, in hex."""
        return commitment(self.salt, self.after).hex()


class Rewriting:
    """Puts a pseudonym in the place of a person in sealed records. The log and its tree are locked meanwhile."""

    def __init__(self, cursor: Cursor[DictRow], person: Redaction | Everybody) -> None:
        self._cursor = cursor
        self._person = person
        self._origins: dict[int, NewText] = {}
        self.renamed: set[tuple[UUID, str, str]] = set()
        """The names of groups that were rewritten: the group, the name before, and the name after."""

    def rewrite(self, records: Sequence[Naming]) -> list[Erased]:
        """Rewrite some records, which are in order, and return what an event has to say about them."""
        events = self._events([each for each in records if each.in_event])
        origins = self._new_origins({each.append for each in records if each.in_origin})
        by_position = {
            each.position: (events.get(each.position), origins[each.append] if each.in_origin else None)
            for each in records
        }
        kept = self._resalt(by_position)
        self._keep(kept)
        return [
            Erased(position, event.commitment if event else "", origin.commitment if origin else "")
            for position, (event, origin) in by_position.items()
        ]

    def _events(self, records: Sequence[Naming]) -> dict[int, NewText]:
        positions = [each.position for each in records]
        rows = self._cursor.execute(
            "SELECT notification_id, originator_id, topic, state FROM events WHERE notification_id = ANY(%s)",
            (positions,),
            binary=True,
        ).fetchall()
        found = {}
        for row in rows:
            after = self._person.document(row["state"])
            found[row["notification_id"]] = NewText(row["state"], after, urandom(SALT_BYTES))
            if row["topic"] in EVENTS_OF_GROUPS:
                self._note_names(row["originator_id"], json.decode(row["state"]), json.decode(after))
        self._cursor.execute(
            "UPDATE events AS e SET state = new.state FROM unnest(%b::bigint[], %b::bytea[]) AS new (position, state)"
            " WHERE e.notification_id = new.position",
            (list(found), [each.after for each in found.values()]),
        )
        return found

    def _note_names(self, group_id: UUID, before: dict[str, str], after: dict[str, str]) -> None:
        for key in ("name", "old", "new"):
            if before.get(key) != after.get(key):
                self.renamed.add((group_id, before[key], after[key]))

    def _new_origins(self, appends: Iterable[int]) -> dict[int, NewText]:
        """Rewrite the origins of appends, each once: its records may come at different times."""
        for append in sorted(set(appends) - self._origins.keys()):
            row = self._cursor.execute(
                "SELECT convert_to(origin::text, 'UTF8') AS origin FROM appends WHERE position = %s",
                (append,),
                binary=True,
            ).fetchone()
            before = row["origin"] if row else b"{}"
            changed = self._cursor.execute(
                "UPDATE appends SET origin = %s::jsonb WHERE position = %s"
                " RETURNING convert_to(origin::text, 'UTF8') AS origin",
                (self._person.document(before).decode(), append),
                binary=True,
            ).fetchone()
            self._origins[append] = NewText(before, changed["origin"] if changed else b"", urandom(SALT_BYTES))
        return self._origins

    def _resalt(self, texts: dict[int, tuple[NewText | None, NewText | None]]) -> dict[int, Kept]:
        """Give the new texts their salts, and return the commitments to the old ones."""
        kept: dict[int, Kept] = {}
        for tile in _tiles_with(self._cursor, list(texts)):
            events, origins = list(tile.salts.events), list(tile.salts.origins)
            for at, position in enumerate(tile.positions):
                if position in texts:
                    event, origin = texts[position]
                    kept[position] = Kept(_commitment(events[at], event), _commitment(origins[at], origin))
                    events[at] = event.salt if event else events[at]
                    origins[at] = origin.salt if origin else origins[at]
            write_tiles(self._cursor, [tile._replace(salts=Salts(events, origins))])
        assert kept.keys() == texts.keys(), "all were sealed before"  # noqa: S101 - `erase` has sealed the log
        return kept

    def _keep(self, kept: dict[int, Kept]) -> None:
        """Keep the commitments. Those of a text that was rewritten before stay as they were sealed."""
        self._cursor.executemany(
            "INSERT INTO erasures AS e VALUES (%b, %b, %b) ON CONFLICT (position) DO UPDATE SET"
            " event_commitment = coalesce(e.event_commitment, excluded.event_commitment),"
            " origin_commitment = coalesce(e.origin_commitment, excluded.origin_commitment)",
            [(position, *each) for position, each in kept.items()],
        )


def _tiles_with(cursor: Cursor[DictRow], positions: Sequence[int]) -> Iterator[LeafTile]:
    """Return the tiles that have these positions, which are in order."""
    rows = cursor.execute(
        "SELECT * FROM tree_leaves WHERE last_position >= %s AND number <="
        " (SELECT number FROM tree_leaves WHERE last_position >= %s ORDER BY last_position LIMIT 1) ORDER BY number",
        (positions[0], positions[-1]),
    ).fetchall()
    wanted = set(positions)
    return (tile for tile in map(tile_of, rows) if wanted.intersection(tile.positions))


def _commitment(salt: bytes, text: NewText | None) -> bytes | None:
    return commitment(salt, text.before) if text else None
