"""The floor of bench_fanout: every update is one frame to every socket, by `websockets`' own broadcast. No log-in, no
filter, no Redis: updates come over a socket of this server (/publish)."""

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

_open: set[ServerConnection] = set()


async def hold(socket: ServerConnection) -> None:
    if socket.request is not None and socket.request.path == "/publish":
        with suppress(ConnectionClosed):
            async for message in socket:
                broadcast(_open, message)
        return
    _open.add(socket)
    try:
        await socket.send("[]")
        await socket.wait_closed()
    finally:
        _open.discard(socket)


async def main(port: int) -> None:
    async with serve(hold, "127.0.0.1", port, compression=None, ping_interval=None, max_queue=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
