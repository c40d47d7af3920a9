#!/usr/bin/env python3
"""A mail server with TLS and a password that keeps what it is given.

mail-server.py starttls|tls CERTIFICATE KEY FOLDER USER PASSWORD

Prints its port. It ends with its standard input.
"""
import pathlib
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

way, certificate, key, folder, user, password = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)


class Keep:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        name = pathlib.Path(folder) / f"{self.count}.eml"
        head = f"X-From: {envelope.mail_from}\r\nX-To: {' '.join(envelope.rcpt_tos)}\r\n"
        name.write_bytes(head.encode() + envelope.content)
        return f"250 kept as {self.count}"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=good)


class Here(Controller):
    def factory(self):
        wants = {"tls_context": context, "require_starttls": True} if way == "starttls" else {}
        return SMTP(
            self.handler,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=way == "starttls",
            **wants,
        )


here = Here(
    Keep(),
    hostname="127.0.0.1",
    port=int(sys.stdin.readline()),
    ssl_context=context if way == "tls" else None,
)
here.start()
print("ready", flush=True)
sys.stdin.read()
here.stop()
