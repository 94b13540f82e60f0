"""Columns as arrays in PostgreSQL's binary form. psycopg finds out what lists have, and takes several times as long."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import repeat
from operator import is_
from struct import Struct as Form
from typing import TYPE_CHECKING, Any

import psycopg
from msgspec import Struct
from psycopg.adapt import Dumper
from psycopg.pq import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

MICROSECONDS_A_SECOND = 1_000_000
SECONDS_A_DAY = 86_400
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
NULL = b"\xff\xff\xff\xff"
HEAD = Form(">5i").pack  # the number of dimensions, whether there may be NULLs, the type, the length, the first index
LENGTH = Form(">i").pack
LENGTH_BYTES = 4
BIGINT = partial(Form(">iq").pack, 8)


class Array(Struct, frozen=True):
    """An array as PostgreSQL receives it, for a placeholder such as `%b::uuid[]`."""

    content: bytes


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj.content


psycopg.adapters.register_dumper(Array, _ArrayDumper)


def array(kind: str, values: Iterable[object]) -> Array:
    """Return values as an array of one of the `TYPES`; None is NULL, jsonb is given as text, and json as bytes.

    A column often has the very same object in all rows, such as the subscription, which is packed once.
    """
    oid, pack = TYPES[kind]
    values = tuple(values)
    if values and all(map(is_, values, repeat(values[0]))):
        content = _cell(pack, values[0]) * len(values)
    else:
        content = b"".join([NULL if value is None else pack(value) for value in values])
    return Array(HEAD(1, 1, oid, len(values), 1) + content)


def _cell(pack: Callable[[Any], bytes], value: object) -> bytes:
    return NULL if value is None else pack(value)


def arrays(types: str, rows: Iterable[tuple[object, ...]]) -> list[Array]:
    """Return rows column by column, the form that `unnest` takes; `types` are those of the columns."""
    kinds = types.split()
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return [array(kind, values) for kind, values in zip(kinds, columns, strict=True)]


def scalar(kind: str, value: object) -> bytes:
    """Return a single value of one of the `TYPES` in PostgreSQL's binary form."""
    return TYPES[kind][1](value)[LENGTH_BYTES:]


def _uuid(value: UUID) -> bytes:
    return b"\x00\x00\x00\x10" + value.int.to_bytes(16, "big")


def _text(value: str) -> bytes:
    content = value.encode()
    return LENGTH(len(content)) + content


def _bytea(value: bytes) -> bytes:
    return LENGTH(len(value)) + value


def _jsonb(value: str) -> bytes:
    content = value.encode()
    return LENGTH(len(content) + 1) + b"\x01" + content


@lru_cache  # all events of an append have the same time
def _timestamptz(value: datetime) -> bytes:
    since = value - EPOCH
    return BIGINT((since.days * SECONDS_A_DAY + since.seconds) * MICROSECONDS_A_SECOND + since.microseconds)


TYPES: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "uuid": (2950, _uuid),
    "int": (23, partial(Form(">ii").pack, 4)),
    "bigint": (20, BIGINT),
    "boolean": (16, partial(Form(">i?").pack, 1)),
    "text": (25, _text),
    "bytea": (17, _bytea),
    "json": (114, _bytea),
    "jsonb": (3802, _jsonb),
    "timestamptz": (1184, _timestamptz),
}
"""The oid of each type, which is the same in every server, and what packs a value."""
