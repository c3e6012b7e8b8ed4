"""What really goes over a real host's cable: beats that are counted, a bulk transfer, and whether packets pass."""

import json
import socket
import time
from collections.abc import Callable

from servers.providers import Node
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote
from tests.support import hosts

HEADERS = 42
"""Ethernet, IPv4 and UDP around each datagram, in bytes."""
BEATS, BULK = 5000, 5001

SINK = f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", {BULK}))
while True:
    s.recv(2000)
"""

BEAT = f"""
import collections, json, os, socket, sys, threading, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", {BEATS}))
def send():
    while True:
        for peer in sys.argv[1:]:
            try:
                s.sendto(b"beat", (peer, {BEATS}))
            except OSError:
                pass
        time.sleep(0.02)
threading.Thread(target=send, daemon=True).start()
got = collections.Counter()
while True:
    got[s.recvfrom(100)[1][0]] += 1
    with open("/tmp/got.new", "w") as file:
        json.dump(got, file)
    os.replace("/tmp/got.new", "/tmp/got.json")
"""


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + seconds
    while not (so := true()) and time.monotonic() < until:
        time.sleep(0.05)
    return so


def heard(connection: Remote, ip: str) -> int:
    """How many beats from `ip` the host has counted."""
    text = connection.run(["sh", "-c", "cat /tmp/got.json || echo '{}'"]).output
    return int(json.loads(text).get(ip, 0))


def overheard(cloud: LocalProvider, node: Node) -> dict[str, int]:
    """What the host has counted, read from its disk on the machine's side: it need not be reachable."""
    disk = cloud.driver.records.home(node.ref) / "disk" / "upper" / "tmp" / "got.json"
    return dict(json.loads(disk.read_text())) if disk.exists() else {}


def listen(connection: Remote) -> None:
    """Have the host take what `bulk` sends."""
    hosts.background(connection, SINK)
    assert eventually(lambda: f":{BULK} " in connection.run(["ss", "-lun"]).output)


def bulk(ip: str, datagrams: int = 10_000, payload: int = 1000) -> int:
    """Send that many datagrams to the host; the bytes they are on the wire."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        for number in range(datagrams):
            wire.sendto(b"x" * payload, (ip, BULK))
            if number % 100 == 99:
                time.sleep(0.001)
    time.sleep(0.2)
    return datagrams * (payload + HEADERS)
