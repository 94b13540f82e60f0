"""Proofs by API, checked as an auditor would with a program of their own: by RFC 6962 and RFC 8032 alone."""

from __future__ import annotations

import dataclasses
from base64 import b64decode
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import json, to_builtins
from msgspec.structs import replace

from adapters.checkpoint_keys import SigningKey
from adapters.proofs import consistency, newest_checkpoint
from adapters.sealer import CheckpointSigner
from adapters.settings import CheckpointSettings
from application.licensing import change_subscription
from domain.access import read_token
from tests.adapters.api.tokens import bearing, token
from tests.adapters.server.serving import asked
from tests.conftest import advance_views, subscribed

if TYPE_CHECKING:
    import httpx

    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

KEY = SigningKey.generate("rollcall.example/log")
SEATS = count(1_000_001)
SETTINGS = CheckpointSettings(secrets=(KEY.secret(),))


def seal(rollcall: Rollcall) -> int:
    """Seal and sign all there is, and return how many records that are."""
    while rollcall.sealed_log.seal():
        pass
    CheckpointSigner(rollcall.sealed_log, rollcall.checkpoints, SETTINGS, rollcall.now).sign()
    advance_views(rollcall)
    return rollcall.sealed_log.size()


def grow(rollcall: Rollcall, origin: Origin, events: int) -> None:
    for _ in range(events):
        change_subscription(rollcall, origin, seats=next(SEATS))


def get(rollcall: Rollcall, origin: Origin, path: str, **query: Any) -> httpx.Response:
    return asked(rollcall, "GET", f"/api/v1/subscriptions/{origin.subscription_id}/audit{path}", params=query)


# --- an auditor's own program -----------------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    below = 1
    while below * 2 < size:
        below *= 2
    return below


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Undo PATH(m, D[n]) of RFC 6962, section 2.1.1."""
    if size == 1:
        assert not path
        return leaf
    *rest, last = path
    if index < split(size):
        return node(root_by_path(leaf, index, split(size), rest), last)
    return node(last, root_by_path(leaf, index - split(size), size - split(size), rest))


def roots_by_proof(
    old: int, new: int, path: list[bytes], old_root: bytes, *, whole: bool = True
) -> tuple[bytes, bytes]:
    """Undo SUBPROOF(m, D[n], b) of RFC 6962, section 2.1.2: return the old and the new root."""
    if old == new:
        assert len(path) == (0 if whole else 1)
        return (old_root, old_root) if whole else (path[0], path[0])
    *rest, last = path
    if old <= split(new):
        before, after = roots_by_proof(old, split(new), rest, old_root, whole=whole)
        return before, node(after, last)
    before, after = roots_by_proof(old - split(new), new - split(new), rest, old_root, whole=False)
    return node(last, before), node(last, after)


def opened(note: str) -> tuple[int, bytes]:
    """Check the signature of a checkpoint, and return its size and root."""
    text, _, signature = note.partition("\n\n")
    key = Ed25519PublicKey.from_public_bytes(KEY.verifier.public)
    key.verify(b64decode(signature.split()[2])[4:], f"{text}\n".encode())
    _, size, root = text.split("\n")
    return int(size), b64decode(root)


def leaf_of(proof: dict[str, Any]) -> bytes:
    """Make the leaf's hash of what it is said to hold."""
    for part in (proof["event"], proof["origin"]):
        if part["text"] is not None:
            assert sha256(b64decode(part["salt"]) + part["text"].encode()).digest() == b64decode(part["commitment"])
    held = (
        b64decode(proof["frame"]) + b64decode(proof["event"]["commitment"]) + b64decode(proof["origin"]["commitment"])
    )
    return sha256(b"\0" + held).digest()


def proven_root(proof: dict[str, Any]) -> bytes:
    path = [b64decode(each) for each in proof["hashes"]]
    return root_by_path(leaf_of(proof), proof["index"], proof["size"], path)


# --- the tests --------------------------------------------------------------------------------------------------------


def test_each_change_of_the_audit_log_is_proven_against_the_signed_checkpoint(unattended: Rollcall) -> None:
    origin = subscribed(unattended, "ann@example.com", "ben@example.com")
    grow(unattended, subscribed(unattended), 300)
    grow(unattended, origin, 3)
    seal(unattended)
    size, root = opened(get(unattended, origin, "/checkpoint").text)
    changes = get(unattended, origin, "").json()
    assert len(changes) == 6
    for change in changes:
        where = {"stream": change["stream"], "version": change["version"]}
        proof = get(unattended, origin, "/proofs/inclusion", **where).json()
        assert proof["size"] == size
        assert proven_root(proof) == root
        assert json.decode(proof["origin"]["text"])["request_id"] == change["request_id"]


def test_the_log_is_proven_to_have_only_grown(unattended: Rollcall) -> None:
    origin = subscribed(unattended)
    notes = []
    for events in (1, 2, 4, 130, 256, 7):
        grow(unattended, origin, events)
        seal(unattended)
        notes.append(opened(newest_checkpoint(unattended)))
    for old, old_root in notes:
        for new, new_root in notes:
            if old <= new:
                path = [b64decode(each) for each in consistency(unattended, old, new).hashes]
                assert roots_by_proof(old, new, path, old_root) == (old_root, new_root)
    (old, _), *_, (new, _) = notes
    answer = get(unattended, origin, "/proofs/consistency", **{"from": old})
    assert answer.json() == to_builtins(consistency(unattended, old, new))


def test_a_record_of_another_subscription_has_no_proof_and_one_without_a_checkpoint_none_yet(
    unattended: Rollcall,
) -> None:
    origin, other = subscribed(unattended), subscribed(unattended)
    advance_views(unattended)
    mine = {"stream": str(origin.subscription_id), "version": 1}
    assert get(unattended, origin, "/checkpoint").status_code == 409
    assert "ROLLCALL_CHECKPOINT_KEY" in get(unattended, origin, "/proofs/inclusion", **mine).json()["detail"]
    size = seal(unattended)
    theirs, missing = ({"stream": str(each), "version": 1} for each in (other.subscription_id, uuid4()))
    answers = [get(unattended, origin, "/proofs/inclusion", **each) for each in (theirs, missing)]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].json()["detail"].replace(theirs["stream"], missing["stream"]) == answers[1].json()["detail"]
    grow(unattended, origin, 1)
    unattended.sealed_log.seal()
    new = {**mine, "version": 2}
    answer = get(unattended, origin, "/proofs/inclusion", **new)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-sealed")
    assert f"the first {size:,} records" in answer.json()["detail"]
    now = unattended.sealed_log.size()
    assert get(unattended, origin, "/proofs/inclusion", **new, size=now).status_code == 200
    assert get(unattended, origin, "/proofs/inclusion", **new, size=now + 1).status_code == 409
    assert get(unattended, origin, "/proofs/consistency", **{"from": size, "to": now + 1}).status_code == 409
    assert get(unattended, origin, "/proofs/consistency", **{"from": size + 1, "to": size}).status_code == 400


def test_a_proof_names_nothing_of_other_subscriptions(unattended: Rollcall) -> None:
    other = subscribed(unattended, "secret@example.com")
    origin = subscribed(unattended)
    grow(unattended, other, 5)
    seal(unattended)
    answer = get(unattended, origin, "/proofs/inclusion", stream=str(origin.subscription_id), version=1)
    frame = b64decode(answer.json()["frame"])
    assert other.subscription_id.bytes not in frame
    assert frame.count(origin.subscription_id.bytes) == 3  # as stream, as subscription, and as that of the append
    assert "secret@example.com" not in answer.text
    assert str(other.subscription_id) not in answer.text


def test_the_hash_of_a_tokens_secret_is_withheld_and_the_event_is_proven_nevertheless(unattended: Rollcall) -> None:
    origin = subscribed(unattended)
    issued = read_token(token(unattended.events, "auditor", origin.subscription_id))
    assert issued
    seal(unattended)
    proof = get(unattended, origin, "/proofs/inclusion", stream=str(issued[0]), version=1).json()
    assert proof["event"] == {"commitment": proof["event"]["commitment"], "salt": None, "text": None}
    assert proven_root(proof) == opened(get(unattended, origin, "/checkpoint").text)[1]


def test_the_page_of_the_audit_log_leads_to_the_checkpoint_if_there_are_any(unattended: Rollcall) -> None:
    origin = subscribed(unattended)
    advance_views(unattended)
    path = f"/subscriptions/{origin.subscription_id}/audit"
    auditor = bearing(token(unattended.events, "auditor", origin.subscription_id))
    signing = dataclasses.replace(unattended, settings=replace(unattended.settings, checkpoints=SETTINGS))
    for rollcall, links in ((unattended, 0), (signing, 1)):
        page = asked(rollcall, "GET", path, headers=auditor, auth=None)
        assert page.status_code == 200
        assert page.text.count(f'href="/api/v1{path}/checkpoint"') == links
