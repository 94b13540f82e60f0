"""The keys that sign checkpoints: Ed25519, in the text form of Go's sumdb/note, which other tools read, too."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.signed_note import ED25519, KEY_BYTES, KEY_NAME, Signature, VerifierKey

SECRET_BEGIN = "PRIVATE+KEY+"  # noqa: S105 - how the text of any such key begins


class SigningKey:
    """A private key and its owner's name."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = VerifierKey(name, private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a new key; raises ValueError unless the name is one."""
        if not KEY_NAME.fullmatch(name):
            raise ValueError(name)
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return a key from its text, PRIVATE+KEY+NAME+ID+BASE64; raises ValueError."""
        name, key_id, encoded = text.removeprefix(SECRET_BEGIN).split("+", 2)
        content = b64decode(encoded, validate=True)
        if content[:1] != ED25519 or len(content) != 1 + KEY_BYTES:
            raise ValueError
        key = cls(name, Ed25519PrivateKey.from_private_bytes(content[1:]))
        if key.secret() != text or not KEY_NAME.fullmatch(name) or key_id != key.verifier.id.hex():
            raise ValueError
        return key

    def secret(self) -> str:
        """Return the key as text, which is a secret."""
        encoded = b64encode(ED25519 + self._private.private_bytes_raw()).decode()
        return f"{SECRET_BEGIN}{self.verifier.name}+{self.verifier.id.hex()}+{encoded}"

    def sign(self, text: str) -> Signature:
        """Return the signature of a note's text."""
        return Signature(self.verifier.name, self.verifier.id, self._private.sign(text.encode()))


def verify(public: bytes, signature: bytes, text: bytes) -> bool:
    """Return whether a signature is right (see `signed_note.Verify`)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True
