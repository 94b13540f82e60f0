#!/usr/bin/env bash
# joserfc 1.8.0 (PyPI): a token that is signed with the second of two published keys with one id is refused.
#
# A key set may hold an RSA key and an EC key under the same "kid": RFC 7517, 4.5, has it as the example of keys that may share one ("different 'kty'
# (key type) values but … equivalent alternatives"). The token's "alg" says which of them is meant. joserfc takes the first key with that id, and fails
# because an EC key can't verify RS256. Without an id in the token it finds no key at all if there are two, whatever their types. The order in the set,
# which means nothing, decides whether people can sign in.
#
# Seen (a token that is signed with RS256):
#   RSA key before EC key, same kid    accepted
#   EC key before RSA key, same kid    InvalidKeyTypeError
#
# Rollcall offers joserfc the keys of the type that the signature needs (adapters/console/oidc.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'joserfc==1.8.0' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

rsa = RSAKey.generate_key(2048, {"kid": "2026"})
ec = ECKey.generate_key("P-256", {"kid": "2026"})
token = jwt.encode({"alg": "RS256", "kid": "2026"}, {"sub": "ann"}, rsa)


def outcome(*keys):
    published = {"keys": [key.as_dict(private=False) for key in keys]}
    try:
        jwt.decode(token, KeySet.import_key_set(published), ["RS256", "ES256"])
    except JoseError as error:
        return type(error).__name__
    return "accepted"


seen = {"RSA, EC": outcome(rsa, ec), "EC, RSA": outcome(ec, rsa)}
for keys, what in seen.items():
    print(f"{keys}: {what}")
expected = {"RSA, EC": "accepted", "EC, RSA": "InvalidKeyTypeError"}
sys.exit(0 if seen == expected else "joserfc behaves otherwise now")
PYTHON
