"""Ends TLS before a local server: tls_front.py PORT TARGET_PORT CERTIFICATE KEY. Ends when it is
killed, or after ten minutes.
"""

import asyncio
import ssl
import sys


async def relay(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def main(port, target, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def session(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", int(target))
        await asyncio.gather(relay(reader, back), relay(there, writer))

    server = await asyncio.start_server(session, "127.0.0.1", int(port), ssl=context)
    async with server:
        await asyncio.sleep(600)


asyncio.run(main(*sys.argv[1:]))
