"""An authoritative name server for tests, on a real port: strict about TSIG, zones and updates (RFC 2136)."""

import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig
import dns.update

SECRET = "c2VjcmV0IG9mIHRoZSBzdG9yeSBvZiBuYW1lcw=="


class NameServer:
    """Its records, `says` (the next answer code instead of the work), and `config` to be put into a place."""

    def __init__(self, zones: list[str]) -> None:
        self.zones = [dns.name.from_text(zone) for zone in zones]
        self.key = dns.tsig.Key("panel.", SECRET, "hmac-sha256")
        self.records: dict[tuple[dns.name.Name, int], dns.rrset.RRset] = {}
        self.says: list[int] = []
        self.updates = 0
        self.port = 0

    @property
    def config(self) -> dict[str, Any]:
        return {
            "server": "127.0.0.1", "port": self.port, "zones": [str(zone) for zone in self.zones], "key_name": "panel.",
            "key_secret": SECRET,
        }  # fmt: skip

    def answer(self, wire: bytes) -> bytes:
        """The answer to a message, signed where its question was."""
        try:
            asked = dns.message.from_wire(wire, keyring={self.key.name: self.key})
        except (dns.tsig.BadSignature, dns.message.UnknownTSIGKey) as error:
            shown = dns.message.from_wire(wire, keyring=False)
            bare = dns.message.Message(id=shown.id)
            bare.flags = (shown.flags & 0x7800) | 0x8000  # the same opcode, as an answer
            bare.set_rcode(dns.rcode.NOTAUTH)
            code = dns.rcode.BADSIG if isinstance(error, dns.tsig.BadSignature) else dns.rcode.BADKEY
            why = dns.rdtypes.ANY.TSIG.TSIG(
                dns.rdataclass.ANY, dns.rdatatype.TSIG, self.key.algorithm, int(time.time()), 300, b"", shown.id, code,
                b"",
            )  # fmt: skip
            bare.additional.append(dns.rrset.from_rdata(shown.keyname, 0, why))
            return bare.to_wire()
        reply = dns.message.make_response(asked)
        code = self.says.pop(0) if self.says else None
        if code is None:
            code = self._update(asked) if asked.opcode() == dns.opcode.UPDATE else self._query(asked, reply)
        reply.set_rcode(dns.rcode.Rcode(code))
        return reply.to_wire()

    def _query(self, asked: dns.message.Message, reply: dns.message.Message) -> int:
        question = asked.question[0]
        if not any(question.name.is_subdomain(zone) for zone in self.zones):
            return dns.rcode.REFUSED
        found = self.records.get((question.name, question.rdtype))
        if found is None:
            return dns.rcode.NXDOMAIN
        reply.answer.append(found)
        return dns.rcode.NOERROR

    def _update(self, asked: dns.message.Message) -> int:
        if not asked.had_tsig or not isinstance(asked, dns.update.UpdateMessage):
            return dns.rcode.REFUSED
        zone = asked.zone[0].name
        if zone not in self.zones:
            return dns.rcode.NOTAUTH
        if any(not part.name.is_subdomain(zone) for part in asked.update):
            return dns.rcode.NOTZONE
        for part in asked.update:
            where = (part.name, part.rdtype)
            if part.deleting == dns.rdataclass.ANY:
                self.records.pop(where, None)
            elif part.deleting is None:
                kept = self.records.setdefault(where, dns.rrset.RRset(part.name, part.rdclass, part.rdtype))
                kept.update(part)
            else:
                return dns.rcode.NOTIMP
        self.updates += 1
        return dns.rcode.NOERROR


@contextmanager
def nameserver(*zones: str) -> Iterator[NameServer]:
    """It answers by TCP on 127.0.0.1 until the end of the block."""
    made = NameServer(list(zones))

    class Ear(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = self.rfile.read(2)
            if len(head) == 2:
                reply = made.answer(self.rfile.read(struct.unpack("!H", head)[0]))
                self.wfile.write(struct.pack("!H", len(reply)) + reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Ear) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
