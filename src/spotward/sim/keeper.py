"""What an Auto Scaling group does by itself.

Whenever something about a group changes, it is woken a little later and looks at itself once: replace what is
unhealthy, finish handovers, grow, shrink, even out the zones, go on with a refresh. Each step respects the suspended
processes and asks for a later look where it has to wait, so a look that comes too early changes nothing and none is
ever lost.

A *handover* replaces a member the other way round: the new one first. Uneven zones, rebalance recommendations and
refreshes above full capacity all use it. While it is open the group wants one more than its desired capacity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from spotward.sim.activities import ACTIVITIES_KEPT, Activity, finish
from spotward.sim.errors import ApiError
from spotward.sim.groups import COUNTED, Group, Handover, LifecycleState, Member
from spotward.sim.instances import Instance
from spotward.sim.membership import Membership
from spotward.sim.purchasing import Purchase, Purchasing, spot_wanted
from spotward.sim.region import Region, stamp
from spotward.sim.termination import Question, choose

OVERSHOOT = 0.1
"""By which fraction of its desired capacity a group may exceed it, and its maximum, while it hands over; at least 1."""

BATCH = 250
"""Instances that one look launches at most, and terminates at most; the rest waits for the next look.

AWS launches large groups in batches too, so that a desired capacity of two billion keeps no other group waiting.
"""

Proceed = Callable[[Group], None]


class Keeper:
    """Keeps every group of the region at what its owner asked for."""

    def __init__(self, region: Region, membership: Membership, purchasing: Purchasing) -> None:
        """Acts on what `membership` tells."""
        self._region = region
        self._membership = membership
        self._purchasing = purchasing
        self.groups: dict[str, Group] = {}
        self.deleted_activities: list[Activity] = []
        """What groups that are gone did, oldest first."""
        self._refresh: Proceed = lambda _: None
        membership.on_change(self.wake)

    def on_look(self, proceed: Proceed) -> None:
        """Who goes on with a group's instance refresh at each look."""
        self._refresh = proceed

    # -- looking -----------------------------------------------------------------------------------------------------

    def wake(self, group: Group, seconds: float | None = None) -> None:
        """Look at the group so many seconds from now (None: as soon as groups react), or earlier if that is planned."""
        due = self._region.now + (self._region.timings.group_reaction_seconds if seconds is None else seconds)
        if group.wake_time is not None and group.wake_time <= due:
            return
        group.wake_time = due
        self._region.at(due, lambda: self._look(group, due))

    def _look(self, group: Group, due: float) -> None:
        if group.wake_time != due or self.groups.get(group.name) is not group:
            return
        group.wake_time = None
        if group.deleting:
            self._empty(group)
            return
        self._replace_unhealthy(group)
        self._settle_handovers(group)
        self._grow(group)
        self._shrink(group)
        self._move_at_risk(group)
        self._even_zones(group)
        self._refresh(group)
        if group.capacity() == group.desired:
            group.reason = ""

    def set_desired(self, group: Group, desired: int, reason: str) -> None:
        """The owner wants another capacity; `reason` is a sentence for the causes of what follows."""
        if desired != group.desired:
            group.reason = f"At {stamp(self._region.now)} {reason} changing the desired capacity from {group.desired} "
            group.reason += f"to {desired}.  "
            group.desired, group.borrowed = desired, 0
        self._membership.recount(group)
        self.wake(group)

    def resumed(self, group: Group, processes: Collection[str]) -> None:
        """These processes go on: what their suspension left undone is looked at again."""
        if "Launch" in processes:
            group.next_launch_time = 0.0
        if "HealthCheck" in processes:
            for member in list(group.members.values()):
                self._membership.look_at_health(group, member)
        self.wake(group)

    # -- the steps of a look -----------------------------------------------------------------------------------------

    def _replace_unhealthy(self, group: Group) -> None:
        if not (group.runs("ReplaceUnhealthy") and group.runs("Terminate")):
            return
        for member in [one for one in group.counted() if one.unhealthy]:
            group.replacements_due += 1
            words = f"At {stamp(self._region.now)} an instance was taken out of service in response to "
            self._membership.retire(group, member, f"{words}{member.unhealthy}")

    def _settle_handovers(self, group: Group) -> None:
        """A new member that serves releases the old one; a handover that has lost one of them is over."""
        for handover in list(group.handovers):
            old, new = handover.old, handover.new
            if old.state not in COUNTED or new.state not in COUNTED:
                group.handovers.remove(handover)
            elif new.state is LifecycleState.IN_SERVICE and group.runs("Terminate"):
                group.handovers.remove(handover)
                self._membership.retire(group, old, f"At {stamp(self._region.now)} {handover.farewell}")

    def _wanted(self, group: Group) -> float:
        return group.desired + sum(handover.new.weight for handover in group.handovers)

    def _grow(self, group: Group) -> None:
        if not group.runs("Launch") or self._too_early(group):
            return
        # Counted once and kept by hand: a group of a thousand grows in a look of a thousand steps.
        capacity, counts, dry = group.capacity(), group.by_zone(), set[str]()
        for _ in range(BATCH):
            if capacity >= self._wanted(group):
                group.replacements_due = 0
                return
            zones = [zone for zone in group.zones if zone not in dry]
            member = self._launch(group, self._growth_cause(group, int(capacity)), counts, zones, dry)
            if member is None:
                self._wait_to_launch(group)
                return
            capacity += member.weight
            counts[member.zone] += 1
            group.replacements_due = max(0, group.replacements_due - 1)
        self.wake(group)

    def _growth_cause(self, group: Group, before: int) -> str:
        now = stamp(self._region.now)
        if group.replacements_due:
            return f"At {now} an instance was launched in response to an unhealthy instance needing to be replaced."
        return (
            f"{group.reason}At {now} an instance was started in response to a difference between desired and actual "
            f"capacity, increasing the capacity from {before} to {before + 1}."
        )

    def _shrink(self, group: Group) -> None:
        if not group.runs("Terminate"):
            return
        capacity, wanted = group.capacity(), self._wanted(group)
        for _ in range(BATCH):
            if capacity <= wanted:
                return
            member = choose(self._question(group), self._region.dice)
            if member is None or capacity - member.weight < wanted:
                return
            now, before = stamp(self._region.now), int(capacity)
            self._membership.retire(
                group,
                member,
                f"{group.reason}At {now} an instance was taken out of service in response to a difference between "
                f"desired and actual capacity, shrinking the capacity from {before} to {before - int(member.weight)}.  "
                f"At {now} instance {member.id} was selected for termination.",
            )
            capacity -= member.weight
        self.wake(group)

    def _question(self, group: Group, spared: frozenset[str] = frozenset()) -> Question:
        return Question(group=group, now=self._region.now, spot_wanted=spot_wanted(group), spared=spared)

    # -- launching ---------------------------------------------------------------------------------------------------

    def _launch(
        self, group: Group, cause: str, counts: Counter[str], zones: Iterable[str], dry: set[str]
    ) -> Member | None:
        """One instance in the first zone, emptiest first, that has one to give; `dry` collects those that have none."""
        for zone in sorted(zones, key=lambda zone: (counts[zone], zone)):
            purchase = self._purchase(group, zone, cause)
            member = self._membership.launch(group, purchase, cause) if purchase is not None else None
            if member is not None:
                group.launch_failures = 0
                return member
            dry.add(zone)
        return None

    def _purchase(self, group: Group, zone: str, cause: str) -> Purchase | None:
        try:
            return self._purchasing.next_for(group, zone)
        except ApiError as error:
            words = f"{error.message} Launching EC2 instance failed."
            description = f"Launching a new EC2 instance.  Status Reason: {words}"
            activity = self._membership.note(group, None, "launch", description, cause)
            activity.zone = zone
            finish(activity, self._region, problem=words)
            return None

    def _too_early(self, group: Group) -> bool:
        """Is the group still waiting after a launch that failed everywhere? Then it looks again when that is over."""
        left = group.next_launch_time - self._region.now
        if left > 0 and group.capacity() < self._wanted(group):
            self.wake(group, left)
        return left > 0

    def _wait_to_launch(self, group: Group) -> None:
        timings = self._region.timings
        pause = min(timings.launch_retry_seconds * 2**group.launch_failures, timings.launch_retry_seconds_max)
        group.launch_failures += 1
        group.next_launch_time = self._region.now + pause
        self.wake(group, pause)

    # -- handovers ---------------------------------------------------------------------------------------------------

    def handovers_allowed(self, group: Group, limit: float = OVERSHOOT) -> int:
        """How many more handovers may be open."""
        return max(1, int(group.desired * limit)) - len(group.handovers)

    def hand_over(
        self, group: Group, old: Member, cause: str, farewell: str, zones: Iterable[str] | None = None
    ) -> bool:
        """Launch a member that will replace `old`: in one of `zones`, or where the group has fewest without it."""
        counts = group.by_zone()
        counts[old.zone] -= 1
        new = self._launch(group, f"At {stamp(self._region.now)} {cause}", counts, zones or group.zones, set())
        if new is not None:
            group.handovers.append(Handover(cause=cause, farewell=farewell, old=old, new=new))
        return new is not None

    def recommended(self, instance: Instance) -> None:
        """EC2 says that the instance is at risk: a group with Capacity Rebalancing will look at it."""
        known = self._membership.of(instance.id)
        if known is not None and known[0].settings.get("CapacityRebalance"):
            self.wake(known[0])

    def _move_at_risk(self, group: Group) -> None:
        if not (group.settings.get("CapacityRebalance") and group.runs("Launch")) or self._too_early(group):
            return
        moving = {handover.old.id for handover in group.handovers}
        for member in group.counted():
            told = member.instance.rebalance_time
            at_risk = member.instance.warning_time is not None or (told is not None and told <= self._region.now)
            if not at_risk or member.id in moving or member.state is not LifecycleState.IN_SERVICE:
                continue
            if self.handovers_allowed(group) <= 0:
                return
            if not self.hand_over(group, member, *_risk_words(member)):
                self._wait_to_launch(group)
                return

    def _even_zones(self, group: Group) -> None:
        """AZRebalance: when the zones have been uneven for long enough, hand over from the fullest to the emptiest."""
        if not self._is_uneven(group):
            group.uneven_since = None
            return
        if not (group.runs("AZRebalance") and group.runs("Launch")) or group.handovers:
            return
        since = group.uneven_since = self._region.now if group.uneven_since is None else group.uneven_since
        left = since + self._region.timings.zone_rebalance_seconds - self._region.now
        if left > 0:
            self.wake(group, left)
            return
        group.uneven_since = None
        self._start_evening(group)
        self.wake(group)

    @staticmethod
    def _is_uneven(group: Group) -> bool:
        counted = group.counted()
        settled = all(member.state is LifecycleState.IN_SERVICE and not member.unhealthy for member in counted)
        if not settled or group.capacity() != group.desired or not group.zones:
            return False
        counts = group.by_zone()
        within = [counts[zone] for zone in group.zones]
        return any(member.zone not in group.zones for member in counted) or max(within) - min(within) > 1

    def _start_evening(self, group: Group) -> None:
        """Up to as many handovers as are allowed, each into the emptiest zone and only there."""
        for _ in range(self.handovers_allowed(group)):
            leaving = frozenset(handover.old.id for handover in group.handovers)
            counts = group.by_zone()
            counts.subtract(handover.old.zone for handover in group.handovers)
            emptiest = min(group.zones, key=lambda zone: (counts[zone], zone))
            old = choose(self._question(group, leaving), self._region.dice)
            if old is None or (old.zone in group.zones and counts[old.zone] - counts[emptiest] <= 1):
                return
            if not self.hand_over(group, old, *_evening_words(old, emptiest, counts), zones=[emptiest]):
                return

    # -- the end -----------------------------------------------------------------------------------------------------

    def _empty(self, group: Group) -> None:
        """A group that is deleted terminates everybody, asks no hook, and is gone when the last one is."""
        now = stamp(self._region.now)
        for member in list(group.members.values()):
            if member.state in COUNTED or member.state is LifecycleState.STANDBY:
                cause = f"{group.reason}At {now} instance {member.id} was taken out of service in response to a "
                self._membership.retire(group, member, cause + "user request to delete the AutoScalingGroup.")
            elif member.state is LifecycleState.TERMINATING_WAIT:
                self._membership.let_go(group, member)
        if not group.members:
            del self.groups[group.name]
            self.deleted_activities += group.activities
            del self.deleted_activities[:-ACTIVITIES_KEPT]


def _risk_words(member: Member) -> tuple[str, str]:
    return (
        f"an instance was launched in response to an EC2 instance rebalance recommendation for {member.id}.",
        f"instance {member.id} was taken out of service in response to an EC2 instance rebalance recommendation.",
    )


def _evening_words(old: Member, emptiest: str, counts: Counter[str]) -> tuple[str, str]:
    zones = " ".join(counts)
    numbers = " ".join(str(count) for count in counts.values())
    cause = (
        f"availability zones {zones} had {numbers} instances respectively.  An instance was launched to aid in "
        "balancing the group's zones."
    )
    farewell = (
        f"instances were launched to balance instances in zones {emptiest} with other zones resulting in more than "
        f"desired number of instances in the group.  Instance {old.id} was selected for termination."
    )
    return cause, farewell
