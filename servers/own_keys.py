"""A key of the panel's own on one server, for one purpose: on the machine exactly while it is wanted (SRV-8, SRV-9).

A purpose has a row for each server, with `wanted`, `public_key`, `turn`, `state` and `operation`, and a `SetOwnKey`.
"""

from datetime import datetime
from typing import Any, ClassVar

from panel.core import operations
from panel.core.actors import SYSTEM
from panel.core.errors import NotYet
from panel.core.models import Operation
from servers import providers
from servers.action_log import published, told
from servers.models import Server
from servers.rules import ON_THE_HOST, State


class SetOwnKey(operations.Handler):
    """The machine lets the key in exactly while its row is wanted. Subclass for each purpose."""

    rows: ClassVar[Any]
    changed: ClassVar[str]
    failed: ClassVar[str]

    @classmethod
    def carry_out(cls, row: Any, state: str, *, now: datetime) -> None:
        """Have the (locked, changed) row's key put on or taken off; saves it. An earlier turn is done by this one."""
        row.state, row.turn = state, row.turn + 1
        row.operation = operations.enqueue(
            cls.kind, key=f"{cls.kind}:{row.server_id}:{row.turn}", now=now, account_id=row.account_id,
            subject=row.server, payload={"server": row.server_id},
        )  # fmt: skip
        row.save()
        published(row.server, cls.changed)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = self.rows.objects.select_related("server").get(pk=op.payload["server"])
        server = row.server
        if server.state in {State.ORDERED, State.CREATING}:
            raise NotYet(10, "the machine is still being made")
        if server.state in ON_THE_HOST:
            cloud = providers.get(server.place)
            change = cloud.add_key if row.wanted else cloud.remove_key
            change(server.provider_ref, row.public_key)
        return {"turn": row.turn}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        row = self.rows.objects.select_for_update().get(pk=server.pk)
        if result["turn"] != row.turn:
            return  # it was changed meanwhile: its own operation follows
        row.server = server
        row.state = self.rows.State.IN_FORCE if row.wanted else self.rows.State.ENDED
        row.save(update_fields=["state"])
        self.settled(row, now=now)
        published(server, self.changed)

    def settled(self, row: Any, *, now: datetime) -> None:
        """What follows once the key is on, or off."""

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        mine = self.rows.objects.filter(server_id=op.payload["server"], operation=op)
        if mine.update(state=self.rows.State.FAILED):
            server = Server.objects.get(pk=op.payload["server"])
            told(server, self.failed, now=now, actor=SYSTEM, operation=op.pk)
