"""What lies around the virtual region and belongs to somebody else.

Networks, images and load balancers are not the market's business: moto keeps them, and the region asks for them through
this protocol, synchronously, in boto3's shapes. A test gives it a handful of dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Surroundings(Protocol):
    """The parts of the account that the region only reads."""

    def subnet(self, subnet_id: str) -> Mapping[str, Any] | None:
        """One entry of DescribeSubnets (`SubnetId`, `AvailabilityZone`, `VpcId`, …), or None when there is none."""
        ...

    def default_subnet(self, az: str) -> Mapping[str, Any] | None:
        """The default VPC's subnet in that availability zone, in the shape of `subnet`."""
        ...

    def image(self, image_id: str) -> Mapping[str, Any] | None:
        """One entry of DescribeImages, or None when there is none."""
        ...

    def security_group(self, group_id: str) -> Mapping[str, Any] | None:
        """One entry of DescribeSecurityGroups (`GroupId`, `GroupName`, …), or None when there is none."""
        ...

    def target_group(self, arn: str) -> Mapping[str, Any] | None:
        """One entry of DescribeTargetGroups with its health check settings, or None when there is none.

        Besides, `DeregistrationDelaySeconds`: its attribute `deregistration_delay.timeout_seconds`.
        """
        ...

    def notification_target_exists(self, arn: str) -> bool:
        """Is there a queue or a topic of that ARN in this account and region?"""
        ...


class Remembered:
    """The surroundings' answers, asked once within one call: a fleet of 300 overrides asks for its image once."""

    def __init__(self, surroundings: Surroundings) -> None:
        """`surroundings` answers; this only remembers."""
        self._surroundings = surroundings
        self._known: dict[tuple[str, str], Mapping[str, Any] | None] = {}

    def forget(self) -> None:
        """A new call begins: what lies outside may have changed."""
        self._known.clear()

    def subnet(self, subnet_id: str) -> Mapping[str, Any] | None:
        """As `Surroundings.subnet`."""
        return self._ask("subnet", subnet_id, self._surroundings.subnet)

    def default_subnet(self, az: str) -> Mapping[str, Any] | None:
        """As `Surroundings.default_subnet`."""
        return self._ask("default_subnet", az, self._surroundings.default_subnet)

    def image(self, image_id: str) -> Mapping[str, Any] | None:
        """As `Surroundings.image`."""
        return self._ask("image", image_id, self._surroundings.image)

    def target_group(self, arn: str) -> Mapping[str, Any] | None:
        """As `Surroundings.target_group`."""
        return self._ask("target_group", arn, self._surroundings.target_group)

    def security_group(self, group_id: str) -> Mapping[str, Any] | None:
        """As `Surroundings.security_group`."""
        return self._ask("security_group", group_id, self._surroundings.security_group)

    def notification_target_exists(self, arn: str) -> bool:
        """As `Surroundings.notification_target_exists`; asked each time, for it is rare."""
        return self._surroundings.notification_target_exists(arn)

    def _ask(self, kind: str, name: str, ask: Callable[[str], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        if (kind, name) not in self._known:
            self._known[kind, name] = ask(name)
        return self._known[kind, name]
