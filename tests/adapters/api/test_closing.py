"""Closing a subscription, over HTTP."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from tests.adapters.api.importing import API, send, subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN = "ann@example.com"


def test_a_closed_subscription_is_read_but_not_changed(running: Served) -> None:
    subscription = subscribed(running.client, ANN)
    running.client.post(f"{subscription}/groups", json={"name": "Sales", "users": [ANN]})
    importing = uploaded(running.client, subscription, f"Groupname,Email\nSupport,{ANN}\n")
    told = running.client.post(f"{subscription}/close", json={"reason": "The contract ended."})
    assert told.status_code in {200, 202}
    eventually(lambda: running.client.get(subscription).json()["state"] == "closed")
    assert running.client.get(subscription).json()["closed_at"]
    assert running.client.post(f"{subscription}/close", json={}).is_success

    refused = running.client.post(f"{subscription}/groups", json={"name": "Support", "users": []})
    assert_problem(refused, 409, "subscription-closed")
    assert_problem(send(running.client, subscription, "Groupname,Email\nX,y@example.com\n"), 409, "subscription-closed")
    assert_problem(running.client.post(f"{importing}/commit", headers={"If-Match": '"2"'}), 409, "subscription-closed")
    assert_problem(running.client.patch(subscription, json={"seats": 7}), 409, "subscription-closed")

    assert [each["name"] for each in running.client.get(f"{subscription}/groups").json()] == ["Sales"]
    assert running.client.get(f"{subscription}/export/users.csv").is_success
    changes = {"type": "subscription-closed"}
    eventually(lambda: running.client.get(f"{subscription}/audit", params=changes).json())
    (change,) = running.client.get(f"{subscription}/audit", params=changes).json()
    assert change["text"] == "Closed the subscription: The contract ended."
    last = running.client.get(f"{subscription}/events").json()[-1]
    assert (last["type"], last["subject"], last["data"]) == (
        "subscription.closed",
        subscription.removeprefix(f"{API}/"),
        {},
    )


def test_a_closed_subscription_is_exported_and_erased(running: Served) -> None:
    subscription = subscribed(running.client, ANN)
    running.client.post(f"{subscription}/groups", json={"name": "Friends of Ann", "users": [ANN]})
    assert_problem(running.client.post(f"{subscription}/erase", json={}), 409, "subscription-open")
    asked = {"name": "Sync", "role": "consumer", "subscription_id": subscription[-36:]}
    consumer = running.client.post(f"{API}/tokens", json=asked).json()["token"]
    running.client.post(f"{subscription}/close", json={})
    assert_problem(running.client.post(f"{subscription}/erase", json={}), 409, "not-exported")
    archive = running.client.get(f"{subscription}/everything.zip")
    assert archive.headers["content-disposition"] == f'attachment; filename="subscription-{subscription[-36:]}.zip"'
    with ZipFile(BytesIO(archive.content)) as files:
        assert b"Friends of Ann" in files.read("groups.csv")
    assert running.client.post(f"{subscription}/erase", json={}).is_success
    assert running.client.get(subscription).status_code == 401, "the administrator's token ended with it"
    eventually(lambda: len(events(running, subscription, consumer)) == 3)
    told = events(running, subscription, consumer)
    assert [each["type"] for each in told] == ["group.created", "subscription.closed", "subscription.erased"]
    assert told[0]["data"]["name"].startswith("forgotten group ")


def events(running: Served, subscription: str, token: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"}
    found: list[dict[str, Any]] = running.client.get(f"{subscription}/events", headers=headers, auth=None).json()
    return found


def test_an_invalid_reason_is_refused(running: Served) -> None:
    subscription = subscribed(running.client)
    answer = running.client.post(f"{subscription}/close", json={"reason": "\u202e"})
    assert_problem(answer, 400, "reason-invalid")
    assert running.client.get(subscription).json()["state"] == "open"
