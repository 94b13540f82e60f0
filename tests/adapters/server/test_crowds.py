"""One subscription that keeps everybody waiting keeps only its own requests waiting."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from application import ports
from tests.adapters.api.importing import subscribed
from tests.adapters.api.tokens import scope_of
from tests.adapters.http.test_problems import assert_problem
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

CROWD = 100


def test_many_writes_to_one_subscription_stop_nobody_else(running: Served, beside: Rollcall) -> None:
    """There are more of them than the server has threads."""
    subscription, other = subscribed(running.client), subscribed(running.client)
    with ExitStack() as held:
        held.enter_context(beside.turns.decide(scope_of(subscription), "groups"))
        asyncio.run(in_a_crowd(running, subscription, other, held.close))


async def in_a_crowd(server: Served, subscription: str, other: str, release: Callable[[], None]) -> None:
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=GENEROUS_SECONDS, auth=server.auth, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        waiting = {
            group.create_task(client.post(f"{subscription}/groups", json={"name": f"Group {number}"}))
            for number in range(CROWD)
        }
        while len(waiting) > ports.TURN_WAITERS:
            refused, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in refused:
                assert_problem(each.result(), 503, "busy")
                assert each.result().headers["retry-after"] == "1"
        assert (await client.get("/sign-in")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.post(f"{other}/groups", json={"name": "Sales"})).status_code == 201
        release()
        assert {each.result().status_code for each in (await asyncio.wait(waiting))[0]} <= {201, 202, 503}
