"""Bare Litestar routes that each do one SELECT: `python -m tests.bench.bare CONNINFO PORT`."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from litestar import Litestar, get
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

TABLES = """\
CREATE TABLE IF NOT EXISTS bench_one AS SELECT gen_random_uuid() AS id, 'groups.csv' AS file_name, 'reviewing' AS state,
    2 AS version, 100000 AS groups, 1000000 AS users, now() AS created_at, 1 AS number;
CREATE UNIQUE INDEX IF NOT EXISTS bench_one_by_number ON bench_one (number);
CREATE TABLE IF NOT EXISTS bench_hundred AS
    SELECT 1 AS import, number, 'Group ' || number AS name, 10 AS users, NULL::text AS problem
    FROM generate_series(1, 100000) AS t (number);
CREATE UNIQUE INDEX IF NOT EXISTS bench_hundred_by_number ON bench_hundred (import, number);
"""


def main(conninfo: str, port: int) -> None:
    """Serve until SIGTERM."""
    pool = ConnectionPool(conninfo, min_size=10, kwargs={"autocommit": True, "row_factory": dict_row}, open=True)
    with pool.connection() as connection:
        connection.execute(TABLES)

    @get("/one", sync_to_thread=True)
    def one() -> dict[str, Any]:
        with pool.connection() as connection:
            rows = connection.execute("SELECT * FROM bench_one WHERE number = %s", (1,), prepare=True).fetchall()
        return dict(rows[0])

    @get("/hundred", sync_to_thread=True)
    def hundred() -> list[dict[str, Any]]:
        query = "SELECT * FROM bench_hundred WHERE import = %s AND number > %s ORDER BY number LIMIT 100"
        with pool.connection() as connection:
            return [dict(row) for row in connection.execute(query, (1, 0), prepare=True)]

    uvicorn.run(Litestar([one, hundred], openapi_config=None), port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
