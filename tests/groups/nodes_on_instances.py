"""A toy cluster whose nodes are the instances of a toy cloud: both rooms decide, and meet in facts alone.

An instance joins the cluster a while after it runs. Whoever terminates one that still has pods which could have been
moved is found out, unless EC2 takes it anyway.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spotward.groups.policy import GroupsPolicy
from spotward.model.action import (
    Action,
    AttachInstances,
    FindInstance,
    LaunchFleet,
    ObserveGroup,
    ObserveInstances,
    RetireMember,
    TerminateInstances,
)
from spotward.model.cloud import Instance, Lifecycle
from spotward.model.cluster import Budget, Condition, Pod
from spotward.model.event import Event, InstanceGone, InterruptionNoticed, Tick
from spotward.model.node_action import ClusterAction, CompleteLifecycle, Notify, RecordHeartbeat
from spotward.model.world import World
from spotward.nodes.policy import NodesPolicy
from tests.groups.toy_cloud import AZS, REGION, ToyCloud
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, ToyCluster, a_node

OBSERVED_EVERY_SECONDS = 60.0
LOOKS = (ObserveGroup, ObserveInstances, FindInstance)
GONE = ("shutting-down", "terminated")


@dataclass(kw_only=True)
class CloudOfNodes(ToyCloud):
    """Every instance is tagged as a node of the cluster, unless nobody tags them."""

    tagged: bool = True

    def launch(self, group: str, kind: str, az: str, lifecycle: Lifecycle, **more: str) -> Instance:
        instance = super().launch(group, kind, az, lifecycle, **more)
        self.instances[instance.id] = replace(instance, cluster=CLUSTER if self.tagged else None)
        return self.instances[instance.id]


@dataclass(kw_only=True)
class NodesOnInstances(ToyCluster):
    """The cluster on top of that cloud."""

    cloud: CloudOfNodes
    join_seconds: float = 15.0
    never_ready: set[str] = field(default_factory=set)
    """Instances that never become ready nodes; `*` for all new ones."""
    joining: dict[str, float] = field(default_factory=dict)
    """Instance → when its node appears."""
    taken_time: dict[str, float] = field(default_factory=dict)
    """Instance → when EC2 takes it."""
    killed: list[str] = field(default_factory=list)
    """Pods that were terminated with their machines by our hand, although nothing forced it."""
    told_gone: Callable[[str], None] = lambda _instance: None

    def pass_to(self, time: float) -> None:
        super().pass_to(time)
        self.cloud.pass_to(time)
        for instance in list(self.cloud.instances.values()):
            self._follow(instance)

    def _follow(self, instance: Instance) -> None:
        name = f"n-{instance.id.removeprefix('i-')}"
        if instance.state == "running" and name not in self.nodes:
            due = self.joining.setdefault(instance.id, self.time + self.join_seconds)
            if self.time >= due:
                self._join(instance.id)
        if instance.state in GONE and instance.id not in self.states:
            self.joining.pop(instance.id, None)
            self.switch_off(instance.id)
            self.told_gone(instance.id)

    def _join(self, instance_id: str) -> None:
        node = a_node(int(instance_id.removeprefix("i-")))
        if self.never_ready & {"*", instance_id}:
            node = replace(node, conditions=(Condition(type="Ready", status="False"),))
        self.nodes[node.name] = node
        self.tagged.add(instance_id)

    def next_change(self) -> float:
        due = [moment for moment in self.joining.values() if moment > self.time]
        return min([super().next_change(), *due, *(moment for moment, _, _ in self.cloud.changes)])

    # ---- what is asked ---------------------------------------------------------------------------------------------

    def do(self, action: Action, attempt: int) -> Event:
        if isinstance(action, ClusterAction | CompleteLifecycle | RecordHeartbeat | Notify):
            return super().do(action, attempt)
        if isinstance(action, RetireMember):
            self._look_at((action.instance_id,))
        if isinstance(action, TerminateInstances):
            self._look_at(action.instance_ids)
        if action.mutates:
            return self.cloud.do(action, attempt)
        return self.cloud.look(action, attempt, self.time, lambda _: True)

    def _look_at(self, instance_ids: tuple[str, ...]) -> None:
        for instance_id in instance_ids:
            if self.time < self.taken_time.get(instance_id, float("inf")):
                self.killed += [f"{pod.name} at {self.time:.0f}" for pod in self.movable(instance_id)]

    def movable(self, instance_id: str) -> list[Pod]:
        """Pods on its node that come up elsewhere."""
        name = f"n-{instance_id.removeprefix('i-')}"
        here = [pod for pod in self.pods.values() if pod.node == name and pod.owner is not None]
        return [pod for pod in here if not (pod.mirror or pod.finished or pod.from_daemon_set)]


class NodeStage(Stage):
    """A play with both."""

    cluster: NodesOnInstances

    def __init__(
        self,
        cluster: NodesOnInstances,
        *,
        groups: GroupsPolicy | None = None,
        nodes: NodesPolicy | None = None,
        seed: int | None = None,
        lost: float = 0.0,
        after_step: "Callable[[Stage], None] | None" = None,
    ) -> None:
        super().__init__(
            cluster,
            policy=nodes or NodesPolicy(cluster=CLUSTER),
            groups=groups or GroupsPolicy(cluster_awaited=True),
            seed=seed,
            lost=lost,
            after_step=after_step,
        )
        cluster.told_gone = lambda i: self.step(
            InstanceGone(time=self.time, region=REGION, instance_id=i, state="terminated")
        )

    @property
    def cloud(self) -> CloudOfNodes:
        return self.cluster.cloud

    def interrupt(self, instance_id: str, time: float) -> "NodeStage":
        """EC2 gives two minutes' notice of an instance that lives, and then takes it."""

        def told() -> None:
            if self.cloud.instances[instance_id].state not in ("pending", "running"):
                return
            self.cloud.doomed.add(instance_id)
            self.cluster.taken_time[instance_id] = time + 120.0
            self.at(time + 120.0, lambda: self.cloud.take(instance_id))
            self.step(
                InterruptionNoticed(time=self.time, region=REGION, instance_id=instance_id, deadline=time + 120.0)
            )

        self.at(time, told)
        return self

    def restart(self) -> None:
        super().restart()
        self.step(Tick(time=self.time, regions=(REGION,)))

    def observed(self, *, until: float) -> "NodeStage":
        """Play, and look at the region every minute."""
        for n in range(int(self.time / OBSERVED_EVERY_SECONDS), int(until / OBSERVED_EVERY_SECONDS) + 1):
            if n * OBSERVED_EVERY_SECONDS >= self.time:
                self.hear(Tick(time=n * OBSERVED_EVERY_SECONDS + 0.5, regions=(REGION,)))
        self.play(until=until)
        return self

    # ---- what came of it -------------------------------------------------------------------------------------------

    def members(self) -> dict[str, str]:
        """Members → `spot` or `on-demand`, without those that leave."""
        group = self.cloud.groups["web"]
        here = [m.instance_id for m in group.members.values() if not m.leaving]
        return {i: self.cloud.instances[i].lifecycle.value for i in here}

    def when(self, kind: type) -> list[float]:
        """When deeds of a kind were asked."""
        return [time for time, asked in self.asked if isinstance(asked.action, kind)]

    def faults(self) -> list[str]:
        """What must never happen."""
        return [*self.cloud.faults, *self.cluster.killed]

    def orphans(self) -> list[str]:
        """Instances of ours that run and are in no group."""
        here = self.cloud.groups["web"].members
        ours = (i for i in self.cloud.instances.values() if i.launched_for and i.state in ("pending", "running"))
        return [instance.id for instance in ours if instance.id not in here]

    def looks(self) -> int:
        """How often the group or one of its instances was looked at."""
        return sum(isinstance(asked.action, LOOKS) for _, asked in self.asked)

    def calls(self) -> int:
        """Actions that cost a call of AWS, but for the looks at the whole region."""
        kinds = (*LOOKS, LaunchFleet, AttachInstances, RetireMember, TerminateInstances)
        return sum(isinstance(asked.action, kinds) for _, asked in self.asked)


def seen_nothing_of(world: World) -> bool:
    """Is the cluster out of sight?"""
    return not world.cluster.seen or world.cluster.silent_since is not None


def a_group_of_nodes(
    *pods: Pod,
    size: int = 2,
    lifecycle: Lifecycle = Lifecycle.ON_DEMAND,
    kind: str = "m5.large",
    budgets: tuple[Budget, ...] = (),
    max_size: int | None = None,
    tags: dict[str, str] | None = None,
    tagged: bool = True,
    boot_seconds: float = 20.0,
    zones: int = 1,
    **changes: object,
) -> NodesOnInstances:
    """A group `web` whose members, i-1 and on, have long been nodes n-1 and on."""
    cloud = CloudOfNodes(boot_seconds=lambda: boot_seconds, service_seconds=lambda: 10.0, tagged=tagged)
    cloud.set_up(
        "web",
        members=[(kind, AZS[n % zones], lifecycle) for n in range(size)],
        max_size=2 * size if max_size is None else max_size,
        tags=tags,
    )
    cluster = NodesOnInstances(cloud=cloud, **changes)  # type: ignore[arg-type]  # fields of it
    for n in range(1, size + 1):
        cluster.nodes[f"n-{n}"] = a_node(n)
        cloud.instances[f"i-{n}"] = replace(cloud.instances[f"i-{n}"], cluster=CLUSTER if tagged else None)
    cluster.tagged = {f"i-{n}" for n in range(1, size + 1)}
    cluster.pods = {pod.uid: pod for pod in pods}
    cluster.budgets = {budget.id: budget for budget in budgets}
    return cluster
