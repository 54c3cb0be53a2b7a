#!/usr/bin/python3
"""A mail server (aiosmtpd) that reads what it gets with Python's own email package.

    mail_sink.py [--tls CERT KEY] [--auth USER PASSWORD]

The first line of its output is its port on 127.0.0.1, each further one a message as a JSON object. With --tls nothing is said before
STARTTLS, with --auth nobody mails without signing in. It ends with its standard input."""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
from email.header import decode_header, make_header
from email.utils import getaddresses

from aiosmtpd.smtp import SMTP, AuthResult


def mailboxes(header):
    """The newer parser (3.11) keeps the blank between two encoded words of a name, against RFC 2047 section 6.2; the older one does not."""
    return [{"name": str(make_header(decode_header(name))), "address": address} for name, address in getaddresses([header])]


def read(content):
    mail = email.message_from_bytes(content, policy=email.policy.default)
    old = email.message_from_bytes(content)
    text = html = None
    defects = [str(d) for part in mail.walk() for d in part.defects]
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            body = part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")
            if part.get_content_subtype() == "plain":
                text = body
            else:
                html = body
    for name, value in mail.items():
        defects += ["%s: %s" % (name, d) for d in getattr(value, "defects", ())]
    return {
        "names": sorted(name.lower() for name in mail.keys()),
        "subject": mail["Subject"],
        "from": mailboxes(old["From"]),
        "to": mailboxes(old["To"]),
        "message_id": mail["Message-ID"],
        "in_reply_to": mail["In-Reply-To"],
        "references": mail["References"],
        "date_ms": int(mail["Date"].datetime.timestamp() * 1000),
        "auto_submitted": mail["Auto-Submitted"],
        "language": mail["Content-Language"],
        "type": mail.get_content_type(),
        "parts": [part.get_content_type() for part in mail.walk()],
        "text": text,
        "html": html,
        "defects": defects,
    }


class Sink:
    async def handle_DATA(self, server, session, envelope):
        try:
            told = read(envelope.content)
        except Exception as fault:  # whatever a reader stumbles over is for the test to see
            told = {"fault": repr(fault)}
        told["envelope"] = {"from": envelope.mail_from, "to": envelope.rcpt_tos}
        told["encrypted"] = session.ssl is not None
        told["user"] = session.auth_data.login.decode() if session.authenticated else ""
        print(json.dumps(told), flush=True)
        return "250 2.0.0 read"


async def serve(o):
    context = None
    if o.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*o.tls)

    def known(server, session, envelope, mechanism, secret):
        right = o.auth and (secret.login.decode(), secret.password.decode()) == tuple(o.auth)
        return AuthResult(success=bool(right), auth_data=secret)

    def connection():
        return SMTP(Sink(), hostname="sink.test", data_size_limit=64 << 20, tls_context=context, require_starttls=bool(o.tls),
                    authenticator=known if o.auth else None, auth_required=bool(o.auth), auth_require_tls=bool(o.tls), loop=loop)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


logging.disable() # it tells of its own deprecated parts
options = argparse.ArgumentParser()
options.add_argument("--tls", nargs=2)
options.add_argument("--auth", nargs=2)
asyncio.run(serve(options.parse_args()))
