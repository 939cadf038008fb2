"""Lets Amazon Redshift clients talk to PostgreSQL: a pass-through proxy that changes only what
PostgreSQL cannot accept as it is.

At log-in it ends TLS (or refuses it), drops start-up parameters that only Redshift knows, reports
the server version as Redshift's 8.0.2, by which redshift_connector decides what a row count means,
and reports a wrong password with Redshift's SQLSTATE 28000. Afterwards it rewrites the SQL of Parse
and Query messages. Passwords pass through: PostgreSQL checks them.
"""

import asyncio
import ssl
import struct
import sys
import traceback

from rewrite import rewrite

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102

# The start-up parameters PostgreSQL knows and that a client may send.
KEEP = {"user", "database", "application_name", "client_encoding", "options"}


def message(code, payload):
    return code + struct.pack("!i", len(payload) + 4) + payload


async def read_message(reader):
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], await reader.readexactly(length - 4)


class Session:
    def __init__(self, upstream, tls, verbose):
        self.upstream, self.tls, self.verbose = upstream, tls, verbose

    async def run(self, reader, writer):
        server_writer = None
        try:
            startup = await self.startup(reader, writer)
            server_reader, server_writer = await asyncio.open_connection(*self.upstream)
            server_writer.write(startup)
            relays = [
                asyncio.ensure_future(self.to_server(reader, server_writer)),
                asyncio.ensure_future(self.to_client(server_reader, writer)),
            ]
            # Either side gone ends the session.
            _, left = await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            for result in await asyncio.gather(*relays, return_exceptions=True):
                # A closed connection is how sessions end; anything else is a bug.
                if isinstance(result, Exception) and not isinstance(result, (OSError, EOFError)):
                    traceback.print_exception(result)
        except (OSError, EOFError) as error:  # IncompleteReadError is an EOFError
            self.log(f"session ended during log-in: {error!r}")
        finally:
            for w in (server_writer, writer):
                if w is not None:
                    w.close()

    def log(self, text):
        if self.verbose:
            print(text, file=sys.stderr, flush=True)

    async def startup(self, reader, writer):
        """Read the client's first packets; return what to send to PostgreSQL."""
        while True:
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!i", body[:4])
            if code == SSL_REQUEST and self.tls:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self.tls)
            elif code in (SSL_REQUEST, GSS_REQUEST):
                writer.write(b"N")
            elif code == CANCEL_REQUEST:
                return struct.pack("!i", length) + body
            else:
                break
        fields = body[4:].rstrip(b"\0").split(b"\0")
        pairs = dict(zip(fields[0::2], fields[1::2]))
        kept = b"".join(k + b"\0" + v + b"\0" for k, v in pairs.items() if k.decode() in KEEP)
        body = body[:4] + kept + b"\0"
        return struct.pack("!i", len(body) + 4) + body

    async def to_server(self, reader, writer):
        while True:
            code, payload = await read_message(reader)
            if code == b"P":  # Parse: name, SQL, parameter types
                name, sql, types = payload.split(b"\0", 2)
                payload = name + b"\0" + self.rewrite(sql) + b"\0" + types
            elif code == b"Q":  # simple query
                payload = self.rewrite(payload[:-1]) + b"\0"
            writer.write(message(code, payload))
            await writer.drain()

    def rewrite(self, sql):
        new = rewrite(sql.decode("utf-8")).encode("utf-8")
        if new != sql:
            self.log(f"rewrote: {sql.decode()}\n     to: {new.decode()}")
        return new

    async def to_client(self, reader, writer):
        code = b""
        while code != b"Z":  # until the first ReadyForQuery
            code, payload = await read_message(reader)
            if code == b"S" and payload.startswith(b"server_version\0"):
                payload = b"server_version\x008.0.2\0"
            elif code == b"E":
                payload = payload.replace(b"\0C28P01\0", b"\0C28000\0")
            writer.write(message(code, payload))
            await writer.drain()
        while data := await reader.read(65536):  # after log-in: as it comes
            writer.write(data)
            await writer.drain()


async def listen(port, upstream, tls=None, verbose=False):
    """Serves on a port of the loopback interface, 0 for a free one; returns the server, which tells
    which one it got.
    """

    def session(reader, writer):
        return Session(upstream, tls, verbose).run(reader, writer)

    return await asyncio.start_server(session, "127.0.0.1", port)


def certificate(certificate_file, key_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context
