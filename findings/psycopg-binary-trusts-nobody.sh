#!/usr/bin/env bash
# psycopg[binary] 3.3.9 (PyPI, libpq 18): sslrootcert=system refuses every certificate, also those that the machine trusts.
#
# By libpq's documentation ("SSL Support", sslrootcert) the value system loads the trusted roots that OpenSSL finds by itself. The wheel brings an
# OpenSSL of its own, which was built to look in /usr/lib/psycopg-openssl. The wheel doesn't bring that folder, and distributions have theirs elsewhere,
# so there are no roots, and each connection fails with "certificate verify failed", as it would with a forged certificate. The environment variables
# that OpenSSL knows, SSL_CERT_FILE and SSL_CERT_DIR, do help.
#
# Seen (a certificate for localhost, by an authority of our own):
#   where the wheel looks                     /usr/lib/psycopg-openssl/cert.pem and …/certs, which aren't there
#   sslrootcert=system                        certificate verify failed
#   the same, SSL_CERT_FILE names the root    accepted
#
# Rollcall sets these variables to where Python finds the machine's roots (adapters/postgres/datastore.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=An authority' -keyout root.key -out root.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout server.key -out server.csr 2>/dev/null
echo 'subjectAltName=DNS:localhost' >names
openssl x509 -req -in server.csr -CA root.pem -CAkey root.key -CAcreateserial -days 2 -extfile names -out server.pem 2>/dev/null
env -u SSL_CERT_FILE -u SSL_CERT_DIR venv/bin/python - <<'PYTHON'
import ctypes
import os
import socket
import ssl
import sys
from pathlib import Path
from threading import Thread

import psycopg
import psycopg_binary

library = next(Path(psycopg_binary.__file__).parents[1].glob("psycopg_binary.libs/libcrypto*"))
openssl = ctypes.CDLL(str(library))
looked = []
for name in ("X509_get_default_cert_file", "X509_get_default_cert_dir"):
    getattr(openssl, name).restype = ctypes.c_char_p
    looked.append(Path(getattr(openssl, name)().decode()))

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
context.set_alpn_protocols(["postgresql"])
listener = socket.create_server(("127.0.0.1", 0))
ERROR = b"SFATAL\0C57P03\0Maccepted\0\0"  # what a server says that has just been reached, and doesn't want anybody


def serve():
    while True:
        client, _ = listener.accept()
        client.recv(8)
        client.sendall(b"S")
        try:
            with context.wrap_socket(client, server_side=True) as wrapped:
                wrapped.recv(1000)
                wrapped.sendall(b"E" + (len(ERROR) + 4).to_bytes(4, "big") + ERROR)
        except OSError:
            client.close()


Thread(target=serve, daemon=True).start()
url = f"host=localhost hostaddr=127.0.0.1 port={listener.getsockname()[1]} user=x dbname=x sslrootcert=system gssencmode=disable"


def outcome():
    try:
        psycopg.connect(url)
    except psycopg.OperationalError as error:
        return str(error).rpartition(": ")[2].strip()


seen = [*(f"{path} {'is there' if path.exists() else 'is missing'}" for path in looked), outcome()]
os.environ["SSL_CERT_FILE"] = "root.pem"
seen.append(outcome())
print(*seen, sep="\n")
expected = [
    "/usr/lib/psycopg-openssl/cert.pem is missing",
    "/usr/lib/psycopg-openssl/certs is missing",
    "certificate verify failed",
    "accepted",
]
sys.exit(0 if [each.removeprefix("FATAL:  ") for each in seen] == expected else "psycopg behaves otherwise now")
PYTHON
