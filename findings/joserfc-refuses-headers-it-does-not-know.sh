#!/usr/bin/env bash
# joserfc 1.8.0 (PyPI): a token is refused if its header has a member that joserfc doesn't know, or a certificate.
#
# By RFC 7515, section 4, members of the header that are not understood MUST be ignored, unless "crit" lists them, so that a provider can put there what
# it likes. joserfc refuses them unless a registry with strict_check_header=False is passed. It does know "x5c", the certificates that belong to the key
# (4.1.6), but by default a header has at most 512 bytes, and a single certificate with an RSA key has about a thousand: the member is allowed, and no
# value of it is. (The limit of the payload went from 8,000 bytes to 128,000 in 2026; this one stayed.)
#
# Seen (valid signatures by a known key):
#   {alg, kid}               accepted
#   {alg, kid, client_id}    UnsupportedHeaderError
#   {alg, kid, x5c}          ExceededSizeError
#
# Rollcall has a registry of its own that accepts both, and still refuses what "crit" lists (adapters/console/oidc.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'joserfc==1.8.0' 'cryptography==46.0.3' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from base64 import b64encode
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry


class AnyHeader(JWSRegistry):
    max_header_length = 65_536


key = RSAKey.generate_key(2048, {"kid": "2026"})
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
now = datetime.now(timezone.utc)
certificate = (
    x509.CertificateBuilder(name, name, key.public_key, x509.random_serial_number(), now, now + timedelta(days=1))
    .sign(key.private_key, hashes.SHA256())
    .public_bytes(Encoding.DER)
)
keys = KeySet.import_key_set({"keys": [key.as_dict(private=False)]})


def outcome(**more):
    header = {"alg": "RS256", "kid": "2026", **more}
    token = jwt.encode(header, {"sub": "ann"}, key, registry=AnyHeader(strict_check_header=False))
    try:
        jwt.decode(token, keys, ["RS256"])
    except JoseError as error:
        return type(error).__name__
    return "accepted"


seen = {
    "alg, kid": outcome(),
    "alg, kid, client_id": outcome(client_id="rollcall"),
    "alg, kid, x5c": outcome(x5c=[b64encode(certificate).decode()]),
}
for header, what in seen.items():
    print(f"{header}: {what}")
expected = ["accepted", "UnsupportedHeaderError", "ExceededSizeError"]
sys.exit(0 if list(seen.values()) == expected else "joserfc behaves otherwise now")
PYTHON
