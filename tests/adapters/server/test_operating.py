"""What operators read: health, metrics and logs."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from adapters.metrics import Metrics
from adapters.server import request_log
from tests.adapters.http.test_problems import assert_problem
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

VIEWS = {"directory", "review", "import_list", "groups_added", "audit_log", "group_events", "access"}


@pytest.fixture(scope="module")
def subscription(running: Served) -> str:
    """Return the path of a subscription to which an import has added three groups."""
    return with_three_groups(running)


def with_three_groups(running: Served) -> str:
    created = running.client.post("/api/v1/subscriptions", json={"name": "Contoso", "seats": 50})
    where = created.headers["Location"]
    running.client.post(f"{where}/licences", json={"users": [{"email": "ann@example.com"}]})
    rows = "".join(f"Group {number},ann@example.com\n" for number in range(3))
    file = {"file": ("groups.csv", f"Groupname,Email\n{rows}")}
    import_ = running.client.post(f"{where}/imports", files=file).headers["Location"]
    headers = {"If-Match": '"2"', "X-Request-Id": "add-groups-1"}
    assert running.client.post(f"{import_}/commit", headers=headers).status_code == 202
    eventually(lambda: running.client.get(import_).json()["state"] == "completed")
    return where


def sample(metrics: str, name: str) -> float:
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", metrics)
    assert found, f"{name} is not in the metrics"
    return float(found[1])


def increase(before: str, after: str, name: str) -> float:
    return sample(after, name) - sample(before, name)


def test_health_says_live_and_ready(running: Served) -> None:
    assert running.client.get("/health/live").json() == {"status": "live"}
    ready = running.client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert set(ready.json()["views"]) == VIEWS


@pytest.mark.usefixtures("subscription")  # so that each count is there before it grows
def test_the_metrics_cover_requests_commits_groups_lag_and_pool(running: Served) -> None:
    def measured() -> str:
        return running.client.get("/metrics").text

    before = measured()
    with_three_groups(running)
    eventually(lambda: all(sample(measured(), f'rollcall_view_lag_events{{view="{view}"}}') == 0 for view in VIEWS))
    metrics = measured()
    route = 'method="POST",route="/api/v1/subscriptions/{subscription_id}/imports",status="201"'
    assert increase(before, metrics, f"rollcall_requests_total{{{route}}}") == 1
    assert increase(before, metrics, "rollcall_groups_added_total") == 3
    assert sample(metrics, "rollcall_commits_running") == 0
    assert sample(metrics, "rollcall_database_up") == 1
    assert {sample(metrics, f'rollcall_view_lag_seconds{{view="{view}"}}') for view in VIEWS} == {0}
    assert sum(sample(metrics, f'rollcall_pool_connections{{use="{use}"}}') for use in ("used", "idle")) >= 1
    assert sample(metrics, 'rollcall_request_seconds_count{method="GET",route="/health/live"}') >= 1


def test_metrics_are_in_the_format_that_needs_not_be_asked_for(running: Served) -> None:
    """Version 1.0.0 is for those who ask for it (Prometheus, "Content negotiation")."""
    for accepted in ("*/*", "application/openmetrics-text;version=1.0.0", "text/plain;version=0.0.4"):
        answer = running.client.get("/metrics", headers={"Accept": accepted})
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_request_is_timed_until_its_answer_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0.0, 0.25, 60.0])
    monkeypatch.setattr(request_log, "perf_counter", lambda: next(readings))
    counting = Counting()

    async def stream(scope: object, receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def sent(message: object) -> None: ...

    observed: Any = request_log.RequestLog(stream, counting, {})
    asyncio.run(observed(scope(), None, sent))
    assert counting.counted == [("GET", "/stream", 200, 0.25)]


def test_a_request_that_a_stopping_server_cannot_wait_for_is_503() -> None:
    messages: list[Any] = []
    counting = Counting()

    async def asked() -> None:
        begun = asyncio.Event()

        async def endless(scope: object, receive: object, send: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        async def sent(message: object) -> None:
            messages.append(message)

        observed: Any = request_log.RequestLog(endless, counting, {})
        task = asyncio.create_task(observed(scope(), None, sent))
        await begun.wait()
        task.cancel()
        await task

    asyncio.run(asked())
    start, body = messages
    answer = httpx.Response(start["status"], headers=start["headers"], content=body["body"])
    assert_problem(answer, 503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert [each[:3] for each in counting.counted] == [("GET", "/stream", 503)]


class Counting(Metrics):
    """Metrics that keep what is counted and need no database."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str, int, float]] = []

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self.counted.append((method, route, status, seconds))


def scope() -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "headers": [], "path_template": "/stream"}


def test_unknown_methods_share_one_label(running: Served) -> None:
    for method in ("BREW", "WHEN"):
        running.client.request(method, "/nix")
    assert not re.search("BREW|WHEN", running.client.get("/metrics").text)


def test_each_request_is_a_line_of_json_with_its_id_actor_and_subscription(running: Served, subscription: str) -> None:
    answer = running.client.get(f"{subscription}/groups", headers={"X-Request-Id": "look-1"})
    (line,) = eventually(lambda: [each for each in running.log() if each.get("client_request_id") == "look-1"])
    assert re.fullmatch("token:[0-9a-f-]{36}", line["actor"])
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["subscription"] == subscription.rpartition("/")[2]
    assert (line["event"], line["method"], line["status"]) == ("request", "GET", 200)
    assert line["path"] == f"{subscription}/groups"
    assert line["milliseconds"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])


def test_what_a_commit_adds_has_the_request_ids_of_its_commit(running: Served, subscription: str) -> None:
    """Ours, which nobody can choose, and the client's."""
    (started,) = running.client.get(f"{subscription}/audit?type=CommitStarted").json()
    added = running.client.get(f"{subscription}/audit?type=GroupCreated").json()
    assert UUID(started["request_id"]).version == 4
    assert [each["request_id"] for each in added] == [started["request_id"]] * 3
    assert [each["client_request_id"] for each in (started, *added)] == ["add-groups-1"] * 4


def test_a_client_cannot_choose_the_request_id_under_which_its_change_is_recorded(
    running: Served, subscription: str
) -> None:
    """Not even to pass for another request, whose id it knows."""
    (theirs,) = running.client.get(f"{subscription}/audit?type=SubscriptionCreated").json()
    forging = {"X-Request-Id": theirs["request_id"]}
    answer = running.client.patch(subscription, json={"seats": 51}, headers=forging)
    (change,) = running.client.get(f"{subscription}/audit?type=SeatsChanged").json()
    assert change["request_id"] == answer.headers["X-Request-Id"] != theirs["request_id"]
    assert change["client_request_id"] == theirs["request_id"]


@pytest.mark.parametrize("sent", ["", "two words", "x" * 101, "é", "<b>", None])
def test_what_is_no_id_is_not_recorded(running: Served, sent: str | None) -> None:
    headers = [(b"X-Request-Id", sent.encode())] if sent is not None else []
    answer = running.client.post("/api/v1/subscriptions", json={"name": "Contoso", "seats": 1}, headers=headers)
    (change,) = running.client.get(f"{answer.headers['Location']}/audit?type=SubscriptionCreated").json()
    assert change["request_id"] == answer.headers["X-Request-Id"]
    assert change["client_request_id"] is None


def test_no_path_breaks_a_line_of_the_log(running: Served) -> None:
    running.client.get("/nix%C2%85%E2%80%A8%0A%C2%9B31m", headers={"X-Request-Id": "odd-1"})
    (line,) = eventually(lambda: [each for each in running.log() if each.get("client_request_id") == "odd-1"])
    assert line["path"] == "/nix\x85\u2028\n\x9b31m"
