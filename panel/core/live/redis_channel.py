"""The channel over Redis: any process publishes, each process with sockets holds one subscription."""

import asyncio
import logging

import redis
import redis.asyncio

from panel.core.live.hub import Hub

log = logging.getLogger(__name__)

NAME = "clause:live"
LONGEST_PAUSE = 5.0  # seconds between two tries to subscribe again


class RedisChannel:
    """Publishes with a short timeout, so that a Redis that hangs does not hold a page up."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)

    def send(self, message: bytes) -> None:
        self._client.publish(NAME, message)

    def is_up(self) -> bool:
        try:
            return bool(self._client.ping())
        except (redis.RedisError, OSError):
            return False


async def follow(url: str, hub: Hub) -> None:
    """Feeds `hub` until cancelled; after each subscribing every page refreshes itself: it may have missed something."""
    pause = 0.1
    while True:
        try:
            async with (
                redis.asyncio.Redis.from_url(url, socket_connect_timeout=2, health_check_interval=15) as client,
                client.pubsub(ignore_subscribe_messages=True) as subscription,
            ):
                await subscription.subscribe(NAME)
                hub.refresh_all()
                pause = 0.1
                async for message in subscription.listen():
                    hub.deliver(message["data"])
        except (redis.RedisError, OSError) as error:
            log.warning("the live channel is down (%s), trying again in %.1f s", error, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
