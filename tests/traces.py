"""Where an address is left in a database: in whatever table, text, bytes or compressed chunk."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import zlib
from base64 import b64encode
from contextlib import suppress
from hashlib import md5, sha1, sha256
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from adapters.postgres.embedded_programs import BINARIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.postgres.datastore import Datastore


def needles(email: str) -> list[bytes]:
    """Return an address as it could be spelt, encoded or digested, in lower case."""
    plain = email.encode()
    spelt = [plain, email.encode("utf-16-le"), email.encode("utf-16-be"), plain.hex().encode()]
    if len(plain) > len("ann@e.com"):  # a short one could be anywhere
        spelt += [b64encode(b"x" * lead + plain)[4 if lead else 0 :].rstrip(b"=")[1:-2].lower() for lead in range(3)]
    for digest in (md5, sha1, sha256):
        spelt += [digest(plain).digest(), digest(plain).hexdigest().encode()]
    return spelt


def traces(datastore: Datastore, *texts: str) -> list[str]:
    """Return the tables and columns in which any of these texts is, over all tables of the schema."""
    wanted = [needle for text in texts for needle in needles(text)]
    return sorted({where for where, content in _contents(datastore) if any(each in content for each in wanted)})


def _contents(datastore: Datastore) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of every value, and what they are decompressed, in lower case as far as they are ASCII."""
    with datastore.connect() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        tables = cursor.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY tablename"
        ).fetchall()
        for schema, table in tables:
            cursor.execute(SQL("SELECT * FROM {}").format(Identifier(schema, table)))
            names = [column.name for column in cursor.description or ()]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    content = bytes(value) if isinstance(value, bytes) else str(value).encode()
                    yield f"{table}.{name}", content.lower()
                    with suppress(zlib.error):
                        yield f"{table}.{name}", zlib.decompress(content).lower()
        statistics = cursor.execute(
            "SELECT tablename, attname, concat(most_common_vals, histogram_bounds) FROM pg_stats"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for table, name, values in statistics:
            yield f"statistics of {table}.{name}", str(values).lower().encode()


PG_DUMP = Path(sysconfig.get_path("platlib"), BINARIES, "pg_dump")
BYTES = re.compile(rb"\\\\x([0-9a-f]+)")
"""Bytes as a dump has them."""


def in_dump(conninfo: str, *texts: str) -> set[str]:
    """Return which of these texts, in lower case, a dump of the database by pg_dump has, also within bytes."""
    command: list[str | Path] = [PG_DUMP, "--dbname", conninfo, "--no-owner"]
    dump = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - PostgreSQL's program
    contents = [dump.lower()]
    for found in BYTES.finditer(dump):
        content = bytes.fromhex(found[1].decode())
        contents.append(content.lower())
        with suppress(zlib.error):
            contents.append(zlib.decompress(content).lower())
    everything = b"\n".join(contents)
    return {text for text in texts if any(each in everything for each in needles(text))}
