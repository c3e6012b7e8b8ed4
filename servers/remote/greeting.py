"""Who greets: many SSH servers asked for their first line at the same time, by one thread."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

AT_ONCE = 256  # connections that are open at the same time


def who_greets(addresses: Sequence[str], *, port: int = 22, timeout: float = 3) -> set[str]:
    """Those of `addresses` at which an SSH server greets within `timeout` seconds: no log-in, only its first line.
    Not to be called where an event loop runs."""
    return asyncio.run(_all(addresses, port, timeout)) if addresses else set()


async def _all(addresses: Sequence[str], port: int, patience: float) -> set[str]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(address: str) -> bool:
        async with turn:
            return await _greets(address, port, patience)

    found = await asyncio.gather(*map(one, addresses))
    return {address for address, greets in zip(addresses, found, strict=True) if greets}


async def _greets(address: str, port: int, patience: float) -> bool:
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return await reader.readexactly(4) == b"SSH-"
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
