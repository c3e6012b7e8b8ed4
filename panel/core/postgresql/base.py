"""The `ENGINE` of the settings: as Django's own, but whether a kept connection still lives is seen at its socket.

Before the first query of each request Django asks a kept connection `SELECT 1`: a round trip a page. A server that ends
or restarts closes its connections, and a closed one is readable while nothing was asked; a server that vanished without
a word would leave `SELECT 1` hanging as well.
"""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether nothing came over the connection that nobody asked for."""
        raw = self.connection
        if raw is None or raw.closed or raw.broken:
            return False
        try:
            poll = select.poll()
            poll.register(raw.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
            return not poll.poll(0)
        except OSError:
            return False
