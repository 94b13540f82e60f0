from __future__ import annotations

from threading import Event, current_thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from litestar.connection import request as framework
from msgspec import json

from adapters.http import validation
from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from tests.adapters.api.importing import subscribed
from tests.adapters.api.tokens import TokenAuth
from tests.adapters.server.serving import Served, in_this_process
from tests.waiting import GENEROUS_SECONDS, Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ADDRESSES = 750_000  # over the limit of both, so that nothing is done with them
BODIES: dict[str, Callable[[list[str]], object]] = {
    "groups": lambda addresses: {"name": "Sales", "users": addresses},
    "licences": lambda addresses: {"users": [{"email": address} for address in addresses]},
}


@pytest.mark.parametrize("route", BODIES)
def test_a_large_body_is_decoded_once_while_others_are_answered(
    rollcall: Rollcall, database: str, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    decoding, answered, threads = Event(), Event(), list[str]()

    class Decoder:
        def decode(self, body: bytes) -> Any:
            threads.append(current_thread().name)
            decoding.set()
            assert answered.wait(GENEROUS_SECONDS)
            return json.decode(body)

    monkeypatch.setattr(framework, "decode_json", None)  # which would be a second time, in the event loop
    bell = Bell(rollcall.wakeups)
    with (
        in_this_process(create_app(rollcall, bell, Metrics(rollcall)), bell) as url,
        httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database)) as client,
    ):
        where = f"{subscribed(client, 'ann@example.com')}/{route}"
        monkeypatch.setattr(validation, "JSON", Decoder())
        body = json.encode(BODIES[route]([f"user{number}@example.com" for number in range(ADDRESSES)]))
        sent = Running(lambda: client.post(where, content=body, headers={"Content-Type": "application/json"}))
        assert decoding.wait(GENEROUS_SECONDS)
        assert httpx.get(f"{url}/health/live", timeout=GENEROUS_SECONDS).is_success
        answered.set()
        assert sent.result().status_code == 400
    assert len(threads) == 1
    assert threads[0].startswith("request")


@pytest.mark.parametrize("name", ["type[]", "type[0]"])
def test_who_writes_a_list_with_brackets_is_told_how_it_is_written(running: Served, name: str) -> None:
    """As axios does, and so openapi-client-axios (findings/openapi-client-axios-sends-brackets.sh)."""
    where = f"{subscribed(running.client, 'ann@example.com')}/audit"
    assert running.client.get(where, params={"type": ["GroupCreated", "GroupDeleted"]}).is_success
    refused = running.client.get(where, params={name: ["GroupCreated", "GroupDeleted"]})
    told = f"This route has no parameter “{name}”. Write “type” without brackets, and repeat it for each value."
    assert (refused.status_code, refused.json()["detail"], refused.json()["field"]) == (400, told, name)
    other = running.client.get(where, params={"actor[]": "ann"}).json()
    assert "without brackets" not in other["detail"], "a single value is written once"
