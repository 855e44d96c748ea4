"""One region of one AWS account, on virtual time.

The region is spoken to in boto3's shapes: `call("ec2.DescribeInstances", {...}, time=t)` takes the parameters that a
boto3 user would pass and returns the dictionary that boto3 would return, without ResponseMetadata; a refusal is an
`ApiError`. It rolls seeded dice, touches nothing outside itself and knows no time but the one it is told: the same seed
and the same calls at the same times give the same history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from spotward.sim.answers import Answer, Operation
from spotward.sim.capacity import Capacity
from spotward.sim.catalogue import Catalogue
from spotward.sim.configurations import Configurations
from spotward.sim.errors import ApiError
from spotward.sim.finding import Finding
from spotward.sim.fleets import Fleets
from spotward.sim.group_calls import GroupCalls
from spotward.sim.group_records import GroupRecords
from spotward.sim.group_settings import Settings
from spotward.sim.hook_calls import HookCalls
from spotward.sim.hooks import HookDesk
from spotward.sim.inside import Inside, Windows
from spotward.sim.instance_calls import InstanceCalls
from spotward.sim.instances import Instances
from spotward.sim.keeper import Keeper
from spotward.sim.launcher import Launcher
from spotward.sim.maintenance import Maintenance
from spotward.sim.maintenance_calls import MaintenanceCalls
from spotward.sim.member_calls import MemberCalls
from spotward.sim.membership import Membership
from spotward.sim.meter import Meter, Usage
from spotward.sim.offers import Offers
from spotward.sim.ordering import Ordering
from spotward.sim.pauses import Pauses
from spotward.sim.pools import Pools
from spotward.sim.price_history import PriceHistory
from spotward.sim.prices import ListPrice
from spotward.sim.purchasing import Purchasing
from spotward.sim.reclaim import Reclaim
from spotward.sim.refreshes import Refreshes
from spotward.sim.region import Notification, Region
from spotward.sim.shocks import ScheduledMaintenance
from spotward.sim.surroundings import Remembered, Surroundings
from spotward.sim.tagging import Tagging
from spotward.sim.targets import Targets
from spotward.sim.templates import Templates
from spotward.sim.timings import Timings
from spotward.sim.tokens import ClientTokens
from spotward.sim.volume_calls import VolumeCalls
from spotward.sim.volumes import Volumes


class Witness(Protocol):
    """Somebody who looks on while clients call."""

    def before(self, operation: str, params: Mapping[str, Any]) -> None:
        """The call has reached the region and will be answered next."""

    def after(self, operation: str, params: Mapping[str, Any]) -> None:
        """It has been answered; not told when it was refused."""


_VOLUME_CALLS = frozenset({"ec2.AttachVolume", "ec2.DeleteVolume", "ec2.DescribeVolumes", "ec2.DetachVolume"})

_TAG_CALLS = frozenset({"ec2.CreateTags", "ec2.DeleteTags", "ec2.DescribeTags"})


class Cloud:
    """The virtual region. Not safe for threads: the caller holds a lock."""

    def __init__(  # noqa: PLR0913 - what a region is made of, each by its name
        self,
        *,
        region: str,
        account: str,
        seed: int,
        pools: Pools,
        start_time: float,
        instance_types: Mapping[str, Mapping[str, Any]],
        offerings: Mapping[str, Sequence[str]],
        surroundings: Surroundings,
        timings: Timings | None = None,
        list_price: ListPrice | None = None,
        zone_ids: Mapping[str, str] | None = None,
    ) -> None:
        """An empty region at `start_time` (Unix seconds).

        `instance_types`: type -> its entry of DescribeInstanceTypes. `offerings`: zone name -> types sold there.
        `list_price`: (type, product) -> on-demand price per hour, where it differs from the built-in tariff.
        `zone_ids`: zone name -> zone id, where they are known.
        """
        self._region = Region(
            name=region, account=account, seed=seed, start_time=start_time, timings=timings or Timings()
        )
        self._around = Remembered(surroundings)
        catalogue = Catalogue(
            region=region,
            instance_types=instance_types,
            offerings=offerings,
            list_price=list_price,
            zone_ids=zone_ids,
        )
        self._instances = Instances(self._region)
        volumes = Volumes(self._region, self._instances)
        # Who listens to the instances hears of a change in this order: counts first, then those who act on them.
        capacity = Capacity(self._region, catalogue, pools, self._instances)
        self._meter = Meter(self._region, catalogue, pools, self._instances)
        self._targets = Targets(self._region, self._instances, self._around)
        tokens = ClientTokens(self._region)
        templates = Templates(self._region, tokens)
        ordering = Ordering(catalogue, templates, self._around)
        launcher = Launcher(self._region, self._instances, ordering, capacity, tokens)
        offers = Offers(catalogue=catalogue, ordering=ordering, capacity=capacity, surroundings=self._around)
        fleets = Fleets(self._region, self._instances, offers, launcher, tokens)
        configurations = Configurations(self._region)
        purchasing = Purchasing(
            ordering=ordering,
            offers=offers,
            capacity=capacity,
            configurations=configurations,
            surroundings=self._around,
        )
        desk, pauses = HookDesk(self._region, self._around), Pauses(self._region)
        self._membership = Membership(
            region=self._region,
            instances=self._instances,
            launcher=launcher,
            targets=self._targets,
            meter=self._meter,
            pauses=pauses,
        )
        self._keeper = keeper = Keeper(self._region, self._membership, purchasing)
        self._reclaim = Reclaim(self._region, self._instances, pools)
        self._reclaim.on_recommendation(keeper.recommended)
        self._maintenance = Maintenance(self._region, self._instances)
        self._instances.listen_to_reboots(self._membership.application_failed)
        self._windows = Windows(self._region, self._instances, self._membership, self._maintenance)
        self._finding = finding = Finding(self._instances)
        self._tagging = Tagging(self._instances, volumes, templates, fleets)
        self._volume_calls = VolumeCalls(
            catalogue=catalogue, instances=self._instances, volumes=volumes, finding=finding, tokens=tokens
        )
        settings = Settings(
            catalogue=catalogue, templates=templates, configurations=configurations, surroundings=self._around
        )
        parts = (
            catalogue,
            PriceHistory(self._region, catalogue, pools),
            templates,
            launcher,
            InstanceCalls(self._region, catalogue, self._instances, finding),
            MaintenanceCalls(self._region, self._instances, finding, self._maintenance),
            fleets,
            self._volume_calls,
            self._tagging,
            self._targets,
            configurations,
            GroupCalls(
                region=self._region,
                keeper=keeper,
                membership=self._membership,
                settings=settings,
                desk=desk,
                configurations=configurations,
                surroundings=self._around,
            ),
            MemberCalls(self._region, self._instances, keeper, self._membership),
            HookCalls(keeper, desk, pauses),
            GroupRecords(keeper),
            Refreshes(self._region, keeper, self._membership, purchasing),
        )
        self._witnesses: list[Witness] = []
        self._answers: dict[str, Operation] = {name: do for part in parts for name, do in part.operations().items()}
        self.operations = frozenset(self._answers)
        """What `call` answers, as "service.Operation"."""

    # -- being spoken to ---------------------------------------------------------------------------------------------

    def owns(self, operation: str, params: Mapping[str, Any]) -> bool:
        """Does `call` answer this one? Tags, say, only of what lives here; target health only of instance targets."""
        if operation not in self._answers:
            return False
        if operation in _TAG_CALLS:
            return self._tagging.owns(operation, params)
        if operation in _VOLUME_CALLS:
            return self._volume_calls.owns(params)
        if operation.startswith("elbv2."):
            self._around.forget()
            return self._targets.owns(params)
        return True

    def call(self, operation: str, params: Mapping[str, Any], *, time: float) -> Answer:
        """Advance to `time`, then answer. Raises ApiError with AWS's code and words."""
        self.advance(time)
        self._around.forget()
        answer = self._answers.get(operation)
        if answer is None:
            raise ApiError("InvalidAction", f"The action {operation} is not valid for this web service.")
        if params.get("DryRun"):
            raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        for witness in self._witnesses:
            witness.before(operation, params)
        answered = answer(params)
        for witness in self._witnesses:
            witness.after(operation, params)
        return answered

    def watch(self, witness: Witness) -> None:
        """Let somebody look on."""
        self._witnesses.append(witness)

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The region's time: that of the last call or advance."""
        return self._region.now

    def advance(self, time: float) -> None:
        """Let everything happen that is due until `time`, in order of time. Going back does nothing."""
        self._around.forget()
        self._region.run_until(time)

    def next_time(self) -> float | None:
        """When the next internal happening is due; None when nothing is."""
        return self._region.next_time()

    def take_events(self) -> list[dict[str, Any]]:
        """EventBridge events since last asked, oldest first, each the whole JSON envelope."""
        return self._region.take_events()

    def take_notifications(self) -> list[Notification]:
        """What was sent straight to queues and topics since last asked, oldest first."""
        return self._region.take_notifications()

    def usage(self) -> Usage:
        """What every group has used, what it cost and how long it was short, since the start and as of now."""
        return self._meter.read()

    def owners_capacity(self, group: str) -> int | None:
        """What the group's owner asked for: its desired capacity, less what attachments have lent it; None: gone."""
        found = self._keeper.groups.get(group)
        return None if found is None else found.desired - found.borrowed

    def group_of(self, instance_id: str) -> str | None:
        """The group that has the instance as a member."""
        known = self._membership.of(instance_id)
        return None if known is None else known[0].name

    def inside(self, instance_id: str) -> Inside | None:
        """What a running instance's metadata service has to say; None: nobody is there to ask."""
        return self._windows.inside(instance_id)

    # -- what a scenario does ----------------------------------------------------------------------------------------

    def interrupt(self, instance_ids: Sequence[str]) -> list[str]:
        """Warn these Spot instances now and take them two minutes later. Returns those that it could be done to."""
        known = (self._instances.by_id.get(one) for one in instance_ids)
        return self._reclaim.interrupt(one for one in known if one is not None)

    def interrupt_pool(self, *, pool: str = "*", group: str = "*", count: int | None = None) -> list[str]:
        """Interrupt up to `count` (None: all) Spot instances of pools "type/az" and groups that match the globs."""
        return self._reclaim.interrupt_matching(pool=pool, group=group, count=count)

    def announce_maintenance(self, asked: ScheduledMaintenance) -> list[str]:
        """Schedule maintenance for running instances now. Returns the ids of those that it concerns."""
        found = self._finding.matching(pool=asked.pool, group=asked.group, instance=asked.instance)
        running = [one for one in found if one.state == "running"]
        running.sort(key=lambda one: self._region.dice.uniform("maintenance", one.id, int(self._region.now)))
        return self._maintenance.announce(
            running[: asked.count],
            asked.code,
            notice_seconds=asked.notice_seconds,
            lasts_seconds=asked.lasts_seconds,
            page_size=asked.page_size,
        )

    def withdraw_maintenance(self, *, pool: str = "*", group: str = "*", instance: str = "*") -> list[str]:
        """Cancel the maintenance of matching instances that is not done yet. Returns their ids."""
        found = self._finding.matching(pool=pool, group=group, instance=instance)
        return self._maintenance.withdraw({one.id for one in found})

    def requests_take(self, target_group: str, seconds: float | None) -> None:
        """Requests to target groups whose names match the glob take so long from now on; None: as usual again."""
        self._targets.requests_take(target_group, seconds)

    def recheck_pools(self) -> None:
        """Ask the pools again, now: call it after `Pools.shock`, whose effect no earlier answer could foretell."""
        self._reclaim.recheck()

    def fail_application(self, instance_ids: Sequence[str]) -> None:
        """From now on the applications there answer no health check; the machines go on running."""
        for instance_id in instance_ids:
            instance = self._instances.by_id.get(instance_id)
            if instance is not None and instance.application_failed_time is None:
                instance.application_failed_time = self._region.now
                self._membership.application_failed(instance)
