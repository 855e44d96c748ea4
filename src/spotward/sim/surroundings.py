"""What lies around the virtual region and belongs to somebody else.

Networks, images and load balancers are not the market's business: moto keeps them, and the region asks for them through
this protocol, synchronously, in boto3's shapes. A test gives it a handful of dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def security_groups_exist(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of `ids` that do **not** exist; empty when all do."""
        ...

    def target_group(self, arn: str) -> Mapping[str, Any] | None:
        """One entry of DescribeTargetGroups with its health check settings, or None when there is none."""
        ...
