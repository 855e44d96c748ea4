"""Ports for programs that must be told theirs before they start.

A port that was free a moment ago may be taken by anybody's outgoing connection, to whom the system gives ports from its
ephemeral range; a control plane alone opens hundreds. Below that range nobody gets a port who did not ask for it.
"""

import contextlib
import secrets
import socket
from pathlib import Path

LOWEST = 12_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> tuple[int, ...]:
    """So many ports that nobody listens on now, and that no outgoing connection will take."""
    below = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32_768
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            door = held.enter_context(socket.socket())
            number = LOWEST + secrets.randbelow(below - LOWEST)
            with contextlib.suppress(OSError):  # somebody has that one
                door.bind(("127.0.0.1", number))
                found.append(number)
    return tuple(found)


def free_port() -> int:
    """One such."""
    return free_ports(1)[0]
