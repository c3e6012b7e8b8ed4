"""SSH keys of the account: checked, put on machines at creation and afterwards, taken off again (SRV-2)."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.accounts.models import Account
from panel.core import events, operations
from panel.core.actors import Actor
from panel.core.errors import NotYet, RuleViolation
from panel.core.models import Operation
from servers import actions, places, providers
from servers.action_log import published
from servers.models import KeyOnServer, Server, SshKey
from servers.rules import ON_THE_HOST, State

KINDS = (
    "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip
SMALLEST_RSA = 2048
LONGEST = 16_000


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """`line` is kind and key without the comment; `fingerprint` is OpenSSH's SHA256:... form."""

    line: str
    comment: str
    fingerprint: str


def parse(text: str) -> ParsedKey:
    """Read one public key in OpenSSH's one-line form; RuleViolation with a sentence that says what is wrong (SRV-2)."""
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise _refused(_("This is a private key. Keep it to yourself, and paste the public one (it ends in .pub)."))
    if len(text) > LONGEST or "\n" in text:
        raise _refused(_("Paste one public key, on one line."))
    kind, _space, rest = text.partition(" ")
    body, _space, comment = rest.strip().partition(" ")
    if kind not in KINDS:
        raise _refused(_("This is not an OpenSSH public key; it starts with ssh-ed25519, ssh-rsa or ecdsa-sha2-..."))
    try:
        blob = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(_("The key is damaged: its middle part is not base64.")) from error
    length = int.from_bytes(blob[:4])
    if blob[4 : 4 + length] != kind.encode():
        raise _refused(_("The key is damaged: its two parts do not belong together."))
    if not kind.startswith("sk-"):
        _check_body(f"{kind} {body}")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return ParsedKey(f"{kind} {body}", comment.strip(), f"SHA256:{digest}")


def _check_body(line: str) -> None:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused(_("The key is damaged: it was perhaps not copied whole.")) from error
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA:
        raise _refused(_("An RSA key needs at least %(bits)s bits.") % {"bits": SMALLEST_RSA})


def _refused(sentence: str) -> RuleViolation:
    return RuleViolation(sentence, rule="SRV-2", field="public_key")


@transaction.atomic
def add(
    account: Account, *, name: str, public_key: str, servers: Iterable[Server] = (), actor: Actor, now: datetime
) -> SshKey:
    """Keep a public key and have it put on `servers` of the account; RuleViolation when it is none, or known."""
    parsed = parse(public_key)
    key = SshKey(
        account=account, name=(name or parsed.comment or parsed.fingerprint)[:80], public_key=parsed.line,
        fingerprint=parsed.fingerprint, added_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        raise _refused(_("This key is in your list already.")) from error
    events.record(
        "servers.key.added", now=now, actor=actor, subject=key, account_id=account.pk, rule="SRV-2",
        data={"key_id": key.pk, "fingerprint": key.fingerprint},
    )  # fmt: skip
    for server in servers:
        put_on(key, server, now=now)
    return key


@transaction.atomic
def put_on(key: SshKey, server: Server, *, now: datetime) -> None:
    """Have the key installed on a server of the same account; already there: nothing. RuleViolation where the place
    cannot."""
    if key.account_id != server.account_id:
        raise ValueError("a key goes on servers of its own account")
    if not places.capabilities(server.place).keys:
        raise RuleViolation(str(actions.NOT_HERE["keys"]), rule="SRV-2")
    _want(key, server, wanted=True, now=now)


@transaction.atomic
def take_off(key: SshKey, server: Server, *, now: datetime) -> None:
    """Have the key removed from a server."""
    _want(key, server, wanted=False, now=now)


def _want(key: SshKey, server: Server, *, wanted: bool, now: datetime) -> None:
    row, fresh = KeyOnServer.objects.select_for_update().get_or_create(
        key=key, server=server, defaults={"account_id": key.account_id, "wanted": wanted}
    )
    if (fresh and not wanted) or (not fresh and row.wanted == wanted):
        return
    row.wanted, row.turn = wanted, row.turn + 1
    row.save(update_fields=["wanted", "turn"])
    if server.state in {State.DESTROYING, State.DESTROYED} or not places.capabilities(server.place).keys:
        return
    _say(row, now=now)


def _say(row: KeyOnServer, *, now: datetime) -> None:
    operations.enqueue(
        SetKey.kind, key=f"servers.keys:{row.pk}:{row.turn}", now=now, account_id=row.account_id, subject=row.server,
        payload={"row": row.pk},
    )  # fmt: skip


def say_again(server: Server, *, now: datetime) -> None:
    """A disk of another time has the keys of then: where the place reaches them, those that are wanted by now are put
    on again, and those that are not are taken off; in the transaction that the disk is known in."""
    if not places.capabilities(server.place).keys:
        return
    for row in server.keys.select_for_update():
        row.turn += 1
        row.save(update_fields=["turn"])
        _say(row, now=now)


@transaction.atomic
def remove(key: SshKey, *, actor: Actor, now: datetime) -> list[Server]:
    """Take a key out of the account and off every machine; the servers that it stays on, since their places do not
    reach inside. Removing it twice changes nothing."""
    key = SshKey.objects.select_for_update().get(pk=key.pk)
    if key.removed_at is not None:
        return []
    key.removed_at = now
    key.save(update_fields=["removed_at"])
    stays = []
    for row in key.on_servers.filter(wanted=True).select_related("server"):
        take_off(key, row.server, now=now)
        if row.server.state in ON_THE_HOST and not places.capabilities(row.server.place).keys:
            stays.append(row.server)
    events.record(
        "servers.key.removed", now=now, actor=actor, subject=key, account_id=key.account_id, rule="SRV-2",
        data={"key_id": key.pk, "fingerprint": key.fingerprint},
    )  # fmt: skip
    return stays


@operations.register
class SetKey(operations.Handler):
    """The machine's authorised keys say what is wanted now, whatever was wanted when this was written down."""

    kind = "servers.keys"
    label = gettext_lazy("Install or remove an SSH key")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = KeyOnServer.objects.select_related("server", "key").get(pk=op.payload["row"])
        server = row.server
        if server.state in {State.DESTROYING, State.DESTROYED, State.FAILED}:
            return {"skipped": server.state}
        if server.state not in ON_THE_HOST:
            raise NotYet(10, "the machine is still being made")
        cloud = providers.get(server.place)
        change = cloud.add_key if row.wanted else cloud.remove_key
        change(server.provider_ref, row.key.public_key)
        return {"wanted": row.wanted}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if "wanted" in result:
            KeyOnServer.objects.filter(pk=op.payload["row"]).update(installed_at=now if result["wanted"] else None)
        published(Server.objects.get(keys=op.payload["row"]), "servers.keys.changed")
