"""Signed notes and the checkpoints in them, as C2SP writes them: c2sp.org/signed-note and c2sp.org/tlog-checkpoint.

A note is a text, an empty line, and a line for each signature, which names its key. A checkpoint is such a text: it
says which tree a log had at a size. Making and checking a signature is up to the caller: here nothing is computed but
the ids of keys.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple, Self, TypeAlias

from domain.errors import RollcallError
from domain.merkle import HASH_BYTES

ED25519 = b"\1"
KEY_BYTES = 32
ID_BYTES = 4
MOST_SIGNATURES = 100
SIGNATURE_BEGIN = "— "
KEY_NAME = re.compile(r"[^\s+\x00-\x1f]+")
SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteMalformed(RollcallError):
    """This is not a checkpoint that was signed: {reason}."""

    code = "checkpoint-malformed"


class NoteForged(RollcallError):
    """The signature by {name} is wrong. It was altered, or never signed."""

    code = "checkpoint-forged"


class VerifierKey(NamedTuple):
    """A public key (Ed25519) with the name of its owner."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names the key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(ED25519 + self.public)}"


Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Takes a public key, a signature and the text that was signed, and returns whether the signature is right."""


class Signature(NamedTuple):
    """A line of a note: the name and id of a key, and what it made of the text."""

    name: str
    key_id: bytes
    value: bytes

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return a signature from its line, without the line's end; raises NoteMalformed."""
        name, _, encoded = line.removeprefix(SIGNATURE_BEGIN).partition(" ")
        try:
            content = _unbase64(encoded)
        except ValueError:
            content = b""
        if not line.startswith(SIGNATURE_BEGIN) or not KEY_NAME.fullmatch(name) or len(content) <= ID_BYTES:
            raise NoteMalformed(reason="a line below the empty one is not a signature")
        return cls(name, content[:ID_BYTES], content[ID_BYTES:])

    def line(self) -> str:
        """Return it as it stands in a note."""
        return f"{SIGNATURE_BEGIN}{self.name} {_base64(self.key_id + self.value)}\n"


class Checkpoint(NamedTuple):
    """The tree that a log had at a size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return it as the text of a note."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def parse_verifier_key(text: str) -> VerifierKey:
    """Return a public key from its text, NAME+ID+BASE64; raises ValueError."""
    name, key_id, encoded = text.split("+", 2)
    key = VerifierKey(name, _public(encoded))
    if not KEY_NAME.fullmatch(name) or key_id != key.id.hex():
        raise ValueError(text)
    return key


def _public(encoded: str) -> bytes:
    content = _unbase64(encoded)
    if content[:1] != ED25519 or len(content) != 1 + KEY_BYTES:
        raise ValueError(encoded)
    return content[1:]


def signed(text: str, signatures: Iterable[Signature]) -> str:
    """Return a note."""
    return f"{text}\n{''.join(each.line() for each in signatures)}"


def opened(note: str, keys: Iterable[VerifierKey], verify: Verify) -> tuple[Checkpoint, list[VerifierKey]]:
    """Return a note's checkpoint and the keys that signed it, of those that are known: none if it isn't by any of them.

    Raises NoteMalformed, and NoteForged if a signature that says it is by a known key is not.
    """
    return unverified(note), opened_text(note, keys, verify)[1]


def opened_text(note: str, keys: Iterable[VerifierKey], verify: Verify) -> tuple[str, list[VerifierKey]]:
    """Return a note's text, whatever it says, and the keys that signed it; raises what `opened` raises."""
    text, signatures = _parts(note)
    known = {(key.name, key.id): key for key in keys}
    signers = []
    for each in signatures:
        if key := known.get((each.name, each.key_id)):
            if not verify(key.public, each.value, text.encode()):
                raise NoteForged(name=each.name)
            signers.append(key)
    return text, signers


def unverified(note: str) -> Checkpoint:
    """Return a note's checkpoint, whoever has signed it; raises NoteMalformed."""
    return _checkpoint(_parts(note)[0])


def _parts(note: str) -> tuple[str, list[Signature]]:
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise NoteMalformed(reason="it has no text, empty line and signatures")
    signatures = [Signature.parse(line) for line in lines[:-1].split("\n")]
    if len(signatures) > MOST_SIGNATURES:
        raise NoteMalformed(reason="it has too many signatures")
    return text + "\n", signatures


def _checkpoint(text: str) -> Checkpoint:
    origin, *rest = text[:-1].split("\n")
    if not origin or len(rest) < 2 or not SIZE.fullmatch(rest[0]) or "" in rest:  # noqa: PLR2004 - the size and the root
        raise NoteMalformed(reason="its first lines are not an origin, a size and a root")
    try:
        root = _unbase64(rest[1])
    except ValueError:
        root = b""
    if len(root) != HASH_BYTES:
        raise NoteMalformed(reason="its third line is not a root")
    return Checkpoint(origin, int(rest[0]), root)


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _unbase64(text: str) -> bytes:
    """Return what a text in base64 stands for; raises ValueError for any but the one way to write it."""
    try:
        content = b64decode(text, validate=True)
    except NotBase64:
        raise ValueError(text) from None
    if _base64(content) != text:
        raise ValueError(text)
    return content
