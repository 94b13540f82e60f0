#!/usr/bin/env bash
# joserfc 1.8.0 (PyPI): a key of an unknown type is passed over, but one on an unknown curve makes its whole set unusable, with a KeyError.
#
# A set of keys may hold some that a reader can't use. By RFC 7517, section 5, it SHOULD ignore those whose "kty" it doesn't understand and those "for which
# values are out of the supported ranges", so that a provider can publish new kinds beside the old. Since 1.8.0, joserfc ignores the former. The curve
# of an elliptic key ("crv") is such a value, and others than the RFC's may be used (RFC 7518, 6.2.1.1). With BP-256, the curve of Germany's health
# network, import_key_set raises KeyError, which isn't among joserfc's errors, and no signature by the RSA key beside it can be checked, either.
#
# Seen (a set of an RSA key and another one, and a token that is signed with RS256 by the former):
#   {"kty": "AKP", "alg": "ML-DSA-44", …}    accepted
#   {"kty": "EC", "crv": "BP-256", …}        KeyError
#
# Rollcall imports each key by itself, and passes over those that it can't (adapters/console/oidc_discovery.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'joserfc==1.8.0' 'cryptography==46.0.3' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey


def number(value):
    return urlsafe_b64encode(value.to_bytes(32, "big")).decode().rstrip("=")


point = ec.generate_private_key(ec.BrainpoolP256R1()).public_key().public_numbers()
OTHERS = {
    "AKP": {"kty": "AKP", "alg": "ML-DSA-44", "kid": "other", "pub": urlsafe_b64encode(bytes(1312)).decode().rstrip("=")},
    "BP-256": {"kty": "EC", "crv": "BP-256", "kid": "other", "x": number(point.x), "y": number(point.y)},
}
ours = RSAKey.generate_key(2048, {"kid": "ours"})
token = jwt.encode({"alg": "RS256", "kid": "ours"}, {"sub": "ann"}, ours)


def outcome(other):
    try:
        keys = KeySet.import_key_set({"keys": [ours.as_dict(private=False), other]})
    except KeyError as error:
        return f"KeyError: {error}"
    return jwt.decode(token, keys, algorithms=["RS256"]).claims["sub"]


seen = {name: outcome(other) for name, other in OTHERS.items()}
for name, told in seen.items():
    print(f"{name}: {told}")
expected = {"AKP": "ann", "BP-256": "KeyError: 'BP-256'"}
sys.exit(0 if seen == expected else "joserfc behaves otherwise now")
PYTHON
