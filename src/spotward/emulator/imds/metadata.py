"""What a metadata service knows: a machine that does not change, and how it stands with EC2 at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from spotward.events.imds import Machine
from spotward.model.event import MaintenanceScheduled


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """One machine."""

    machine: Machine
    life_cycle: str = "spot"
    launch_time: float = 0.0
    """Unix seconds."""
    public_ip: str = "192.0.2.54"
    mac: str = "0e:49:61:0f:c3:11"
    profile: str = "drill"
    """The name of its instance profile's role."""
    user_data: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    token_required: bool = False
    """Whether this machine's owner wants every request to have a token."""

    @property
    def local_hostname(self) -> str:
        """`ip-10-0-7-10.eu-west-1.compute.internal`; us-east-1 is older than that rule."""
        domain = "ec2.internal" if self.machine.region == "us-east-1" else f"{self.machine.region}.compute.internal"
        return f"ip-{self.machine.private_ip.replace('.', '-')}.{domain}"

    @property
    def public_hostname(self) -> str:
        """The name of its public address."""
        region = "compute-1" if self.machine.region == "us-east-1" else f"{self.machine.region}.compute"
        return f"ec2-{self.public_ip.replace('.', '-')}.{region}.amazonaws.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a machine stands with EC2 and Auto Scaling at a moment; the defaults are those of one that is left alone."""

    action: str | None = None
    """terminate, stop or hibernate, once EC2 has said that it will."""
    deadline_time: float | None = None
    """When it will. It is fixed when the notice is given; None where none is told (hibernation begins at once)."""
    advice_time: float | None = None
    """When EC2 advised to move away."""
    maintenance: tuple[tuple[MaintenanceScheduled, str], ...] = ()
    """Scheduled events with their states."""
    target_state: str | None = "InService"
    """None: not in an Auto Scaling group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """All of it, at one moment."""

    host: Host
    standing: Standing = field(default_factory=Standing)


class Machines(Protocol):
    """Whoever knows the machines: a script, or the embedded cloud."""

    def metadata(self, instance_id: str | None, *, time: float) -> Metadata | None:
        """How a machine stands at `time` (Unix seconds); None when there is no such machine, or it does not run.

        instance_id: None is the one that there is, where there is only one.
        """
        ...
