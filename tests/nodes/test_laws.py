"""What holds whatever is heard, whatever is answered, and whenever the process is killed."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, OUT_OF_SERVICE_TAINT, Budget, Pod, PodOwner, Taint
from spotward.model.event import Event, Failed, MaintenanceEnded, MaintenanceScheduled, NoticeWithdrawn, Restarted
from spotward.model.node_action import CordonNode, DeleteNode, DeletePods, EvictPods, MarkOutOfService, UncordonNode
from spotward.model.node_event import NodeMarked, PodsAnswered
from spotward.nodes.policy import NodesPolicy, PastBudget
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_budget, a_cluster, a_pod

POLICY = NodesPolicy(cluster=CLUSTER, rebalance_keep_seconds=900.0, forget_seconds=300.0)
NODES = 3
NEWS_UNTIL = 300.0
THE_END = 3_000.0


# ---- any cluster, any history --------------------------------------------------------------------------------------

owners = st.sampled_from(["ReplicaSet", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", None])


@st.composite
def pods(draw: st.DrawFn) -> list[Pod]:
    made = []
    for number in range(draw(st.integers(0, 7))):
        app = draw(st.sampled_from(["web", "db", "dns"]))
        kind = draw(owners)
        made.append(
            a_pod(
                f"{app}-{number}",
                f"n-{draw(st.integers(1, NODES))}",
                grace_seconds=draw(st.sampled_from([0.0, 1.0, 30.0, 60.0, 600.0])),
                priority=draw(st.sampled_from([0, 0, 10, 2_000_000_000])),
                owner=PodOwner(kind=kind, name=app, uid=app) if kind is not None else None,
                phase=draw(st.sampled_from(["Running", "Running", "Running", "Succeeded", "Pending"])),
                empty_dir=draw(st.booleans()),
                mirror=kind is None and draw(st.booleans()),
            )
        )
    return made


budgets = st.lists(
    st.builds(
        lambda app, none, least: a_budget(app, max_unavailable=none) if none else a_budget(app, min_available=least),
        st.sampled_from(["web", "db", "dns"]),
        st.sampled_from(["0", "1", None]),
        st.sampled_from(["0", "1", "2"]),
    ),
    max_size=2,
    unique_by=lambda budget: budget.name,
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One thing that happens."""

    what: str
    node: int
    time: float


histories = st.lists(
    st.builds(
        Told,
        what=st.sampled_from(
            [
                "notice",
                "advice",
                "hook",
                "maintenance",
                "withdrawn",
                "ended",
                "stopping",
                "terminated",
                "silence",
                "kill",
            ]
        ),
        node=st.integers(1, NODES),
        time=st.floats(1.0, NEWS_UNTIL),
    ),
    min_size=1,
    max_size=7,
)


def hear(stage: Stage, told: Told) -> None:
    instance_id, time = f"i-{told.node}", told.time
    withdrawn: dict[str, Event] = {
        "withdrawn": NoticeWithdrawn(time=time, region=REGION, instance_id=instance_id, notice="interruption"),
        "ended": MaintenanceEnded(time=time, region=REGION, instance_id=instance_id, event_id="e", outcome="canceled"),
        "maintenance": MaintenanceScheduled(
            time=time, region=REGION, instance_id=instance_id, event_id="e", code="system-reboot", start_time=time + 600
        ),
    }
    if told.what in withdrawn:
        stage.hear(withdrawn[told.what])
    elif told.what == "silence":
        stage.silence(time, 20.0)
    elif told.what == "kill":
        stage.at(time, stage.restart)
    elif told.what in ("stopping", "terminated"):
        stage.gone(instance_id, time, told.what)
        stage.gone(instance_id, NEWS_UNTIL + 60.0)
    else:
        {"notice": stage.notice, "advice": stage.advise, "hook": stage.hook}[told.what](instance_id, time)


# ---- the watch -----------------------------------------------------------------------------------------------------


@dataclass
class Watch:
    """Looks over the shoulder at each step, with arithmetic of its own."""

    policy: NodesPolicy = POLICY
    ours: dict[str, set[str]] = field(default_factory=dict)
    """Node → what was set on it by us, as the cluster answered."""
    in_flight: dict[str, str] = field(default_factory=dict)
    """Uid → the key under which it was asked and not answered."""

    def look(self, stage: Stage) -> None:
        event, step = stage.steps[-1]
        if isinstance(event, NodeMarked):
            mine = self.ours.setdefault(event.node, set())
            mine |= (
                {t.key for t in event.taints} | {k for k, _ in event.labels} | ({"cordon"} if event.cordoned else set())
            )
        if isinstance(event, PodsAnswered):
            for answer in event.answers:
                self.in_flight.pop(answer.uid, None)
        if isinstance(event, Failed):
            self.in_flight = {uid: key for uid, key in self.in_flight.items() if key != event.key}
        if isinstance(event, Restarted):
            self.in_flight.clear()
        for asked in step.asked:
            self._asked(asked.action, stage)

    def _asked(self, action: object, stage: Stage) -> None:
        match action:
            case EvictPods() | DeletePods():
                if action.instance_id in stage.cluster.states:
                    return  # nobody stops them any more, and so they may be forgotten at once
                for order in action.pods:
                    assert order.grace_seconds is None or order.grace_seconds >= 1, "a grace of nothing"
                    shortens = isinstance(action, DeletePods) and self._is_leaving(order.uid, stage)
                    assert order.uid not in self.in_flight or shortens, f"{order.id} is asked twice at once"
                    self.in_flight[order.uid] = action.key
                if isinstance(action, DeletePods):
                    self._not_too_early(action, stage)
            case UncordonNode():
                taken = {t.key for t in action.taints} | {k for k, _ in action.labels}
                taken |= {"cordon"} if action.uncordon else set()
                assert taken <= self.ours.get(action.node, set()), "what is not ours is taken back"
            case MarkOutOfService() | DeleteNode():
                assert action.instance_id in stage.cluster.states, "called off while it runs"
            case _:
                pass

    def _is_leaving(self, uid: str, stage: Stage) -> bool:
        pods = stage.world.cluster.pods
        return any(uid in seen.pods and seen.pods[uid].leaving for seen in pods.values())

    def _not_too_early(self, action: DeletePods, stage: Stage) -> None:
        incident = stage.world.incidents.get(action.instance_id)
        assert incident is not None
        allowed = {self.policy.past_budget(cause) for cause in incident.causes}
        if PastBudget.ALWAYS in allowed:
            return
        assert PastBudget.AT_DEADLINE in allowed or all(self._is_leaving(o.uid, stage) for o in action.pods)
        assert incident.deadline is not None
        for order in action.pods:
            pod = stage.world.cluster.pods[action.node].pods[order.uid]
            grace = 0.0 if pod.leaving else pod.grace_seconds
            latest = incident.deadline - self.policy.reserve_seconds - grace
            assert stage.world.time >= latest - 1e-6, f"{order.id} is deleted too early"


def played(
    some: list[Pod],
    those: list[Budget],
    history: list[Told],
    *,
    seed: int | None = None,
    kills: bool = True,
) -> Stage:
    watch = Watch()
    cluster = a_cluster(*some, nodes=NODES, budgets=tuple(those))
    theirs = Taint(key="theirs", effect="NoSchedule")
    cluster.nodes["n-2"] = replace(cluster.nodes["n-2"], taints=(theirs,), labels={"theirs": "yes"})
    stage = Stage(
        cluster,
        policy=POLICY,
        seed=seed,
        lost=0.1 if seed is not None else 0.0,
        lag=(0.0, 0.15, 0.7)[(seed or 0) % 3],
        after_step=watch.look,
    )
    for told in history:
        if kills or told.what != "kill":
            hear(stage, told)
    return stage.play(until=THE_END)


GENTLE = settings(max_examples=max(8, settings().max_examples // 5), suppress_health_check=[HealthCheck.too_slow])
"""A play takes a fifth of a second, so fewer of them than of other examples."""


# ---- the laws ------------------------------------------------------------------------------------------------------


@given(pods(), budgets, histories, st.integers(0, 2**16))
@GENTLE
def test_every_incident_ends_and_on_the_way_no_law_is_broken(
    some: list[Pod], those: list[Budget], history: list[Told], seed: int
) -> None:
    stage = played(some, those, history, seed=seed)
    assert [(i.key, i.causes, i.trouble) for i in stage.world.incidents.all()] == []


@given(pods(), budgets, histories)
@GENTLE
def test_a_node_that_stays_has_again_what_its_owner_gave_it_and_nothing_of_ours(
    some: list[Pod], those: list[Budget], history: list[Told]
) -> None:
    stage = played(some, those, history)
    for node in stage.cluster.nodes.values():
        assert not node.unschedulable
        assert not node.has_taint("spotward.io/leaving")
        assert not node.has_taint(OUT_OF_SERVICE_TAINT)
        assert node.has_taint("theirs") == (node.name == "n-2")
        assert ("theirs" in node.labels) == (node.name == "n-2")


@given(pods(), budgets, histories)
@GENTLE
def test_being_killed_changes_nothing_of_the_end(some: list[Pod], those: list[Budget], history: list[Told]) -> None:
    whole, killed = played(some, those, history, kills=False), played(some, those, history)
    assert set(whole.cluster.nodes) == set(killed.cluster.nodes)
    assert set(whole.cluster.hooks_done) == set(killed.cluster.hooks_done)
    names = [sorted(p.name for p in s.cluster.pods.values() if "made" not in p.name) for s in (whole, killed)]
    assert names[0] == names[1]


@given(pods(), st.floats(10.0, 100.0))
@GENTLE
def test_every_pod_of_a_node_that_is_taken_is_told_of(some: list[Pod], time: float) -> None:
    stage = played(some, [], [Told(what="notice", node=1, time=time)])
    told = {record.name for incident in stage.ended for record in incident.pods}
    assert {pod.name for pod in some if pod.node == "n-1"} <= told


@pytest.mark.parametrize("step", range(1, 30, 2))
@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("withdrawn", [10.12, 20.0])
def test_killed_at_any_step_a_node_that_stays_is_given_back_whole(step: int, sent: bool, withdrawn: float) -> None:
    def kill(stage: Stage) -> None:
        if len(stage.steps) == step + 4:
            stage.at(stage.time + (0.06 if sent else 0.0), stage.restart)

    stage = Stage(a_cluster(a_pod("web-1")), after_step=kill).notice("i-1", 10.0, takes=False)
    stage.hear(NoticeWithdrawn(time=withdrawn, region=REGION, instance_id="i-1", notice="interruption"))
    stage.play(until=100.0)
    node = stage.cluster.nodes["n-1"]
    assert not node.unschedulable
    assert node.taints == ()
    assert EXCLUDE_FROM_LOAD_BALANCERS_LABEL not in node.labels
    assert stage.world.incidents.get("i-1") is None


@pytest.mark.parametrize("step", range(1, 40, 2))
def test_killed_at_any_step_the_pods_go_in_good_order_all_the_same(step: int) -> None:
    def kill(stage: Stage) -> None:
        if len(stage.steps) == step + 4:
            stage.at(stage.time, stage.restart)

    cluster = a_cluster(a_pod("web-1"), a_pod("dns-1", priority=2_000_000_000))
    stage = Stage(cluster, after_step=kill).notice("i-1", 10.0).hook("i-1", 10.5).play(until=400.0)
    assert [name for name, _ in cluster.ends] == ["web-1", "dns-1"]
    assert cluster.hooks_done[-1:] == ["token-1"]
    assert stage.incident().ended is not None
    assert len(stage.of(CordonNode)) <= 2
