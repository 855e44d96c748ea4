"""RunInstances, and the one place where instances are born: an order, the room for it, and so many instances."""

from __future__ import annotations

from spotward.sim.answers import Answer, Operation, Params
from spotward.sim.capacity import Capacity
from spotward.sim.describing import describe
from spotward.sim.errors import ApiError
from spotward.sim.instances import Instance, Instances, Order
from spotward.sim.ordering import Ordering
from spotward.sim.region import Region
from spotward.sim.tokens import ClientTokens, Show

RUN_INSTANCES_MAX = 1000
"""Instances of one RunInstances call, at most."""


class Launcher:
    """Launches instances in one region."""

    def __init__(
        self, region: Region, instances: Instances, ordering: Ordering, capacity: Capacity, tokens: ClientTokens
    ) -> None:
        """Everything that launches goes through here."""
        self._region = region
        self._instances = instances
        self._ordering = ordering
        self._capacity = capacity
        self._tokens = tokens

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {"ec2.RunInstances": self.run_instances}

    def launch(self, order: Order, count: int) -> tuple[list[Instance], ApiError | None]:
        """Up to `count` instances, all in one reservation, and why there are not more."""
        allowed, refusal = self._capacity.allowed(order, count)
        reservation = self._region.new_id("r")
        return [self._instances.launch(order, reservation) for _ in range(allowed)], refusal

    def run_instances(self, params: Params) -> Answer:
        """RunInstances: at least MinCount or none, at most MaxCount. Raises ApiError when there is no room."""
        return self._tokens.once("RunInstances", params, lambda: self._run(params))

    def _run(self, params: Params) -> Show:
        least, most = params["MinCount"], params["MaxCount"]
        if not 1 <= least <= most <= RUN_INSTANCES_MAX:
            raise ApiError("InvalidParameterValue", f"Invalid values for MinCount ({least}) and MaxCount ({most}).")
        order = self._ordering.order(self._ordering.from_request(params))
        allowed, refusal = self._capacity.allowed(order, most)
        if allowed < least and refusal is not None:
            raise refusal
        born, _ = self.launch(order, most)
        return lambda: reservation(born, self._region)


def reservation(instances: list[Instance], region: Region) -> Answer:
    """One reservation as RunInstances and DescribeInstances give it; `instances` share it and are at least one."""
    return {
        "Groups": [],
        "Instances": [describe(instance, region) for instance in instances],
        "OwnerId": region.account,
        "ReservationId": instances[0].reservation_id,
    }
