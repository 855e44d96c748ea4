"""What holds of groups of nodes whatever is heard, whatever is lost, and whenever the process is killed."""

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotward.groups.policy import GroupsPolicy
from spotward.model.cloud import Lifecycle
from spotward.model.cluster import Budget, Pod
from spotward.nodes.policy import NodesPolicy
from tests.groups.nodes_on_instances import NodesOnInstances, NodeStage, a_group_of_nodes
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, a_budget, a_pod

NEWS_UNTIL = 400.0
THE_END = 12_000.0

GROUPS = GroupsPolicy(cluster_awaited=True, drain_limit_seconds=400.0, in_service_timeout_seconds=300.0)
NODES = NodesPolicy(cluster=CLUSTER, rebalance_keep_seconds=900.0, forget_seconds=300.0)


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing that happens."""

    what: str
    number: int
    time: float


@dataclass(frozen=True, kw_only=True)
class Play:
    """A group of nodes, and what happens to it."""

    size: int
    spot: bool
    tagged: bool
    pods: tuple[tuple[str, int, float], ...]
    """(application, number of the node, seconds that it takes to stop)"""
    budget: str | None
    happenings: tuple[Happening, ...]
    seed: int


plays = st.builds(
    Play,
    size=st.integers(1, 4),
    spot=st.booleans(),
    tagged=st.booleans(),
    pods=st.lists(
        st.tuples(st.sampled_from(["web", "db"]), st.integers(1, 4), st.sampled_from([1.0, 30.0, 300.0])), max_size=6
    ).map(tuple),
    budget=st.sampled_from([None, None, "0", "1"]),
    happenings=st.lists(
        st.builds(
            Happening,
            what=st.sampled_from(["notice", "advice", "silence", "kill", "protect", "lost node", "drought"]),
            number=st.integers(1, 4),
            time=st.floats(1.0, NEWS_UNTIL),
        ),
        max_size=6,
    ).map(tuple),
    seed=st.integers(0, 2**16),
)


def set_up(play: Play) -> NodesOnInstances:
    pods: list[Pod] = [
        a_pod(f"{app}-{n}", f"n-{1 + (node - 1) % play.size}", grace_seconds=seconds + 10.0)
        for n, (app, node, seconds) in enumerate(play.pods)
    ]
    stops = {pod.name: seconds for pod, (_, _, seconds) in zip(pods, play.pods, strict=True)}
    budgets: tuple[Budget, ...] = (a_budget("web", max_unavailable=play.budget),) if play.budget is not None else ()
    return a_group_of_nodes(
        *pods,
        size=play.size,
        lifecycle=Lifecycle.SPOT if play.spot else Lifecycle.ON_DEMAND,
        kind="c5.large" if play.spot else "m5.large",
        tagged=play.tagged,
        budgets=budgets,
        stop_seconds=lambda pod: stops.get(pod.name, 2.0),
    )


def happen(stage: NodeStage, each: Happening, size: int) -> None:
    instance_id = f"i-{1 + (each.number - 1) % size}"
    match each.what:
        case "notice" if stage.cloud.instances[instance_id].lifecycle is Lifecycle.SPOT:
            stage.interrupt(instance_id, each.time)
        case "advice" if stage.cloud.instances[instance_id].lifecycle is Lifecycle.SPOT:
            stage.advise(instance_id, each.time)
        case "silence":
            stage.silence(each.time, 100.0 * each.number)
        case "kill":
            stage.at(each.time, stage.restart)
        case "protect":
            stage.at(each.time, lambda: _protected(stage, instance_id))
        case "lost node":
            stage.cluster.never_ready.add(f"i-{100 + each.number}")
        case "drought":
            stage.at(each.time, lambda: setattr(stage.cloud, "offers", (("m6i.large", 0.035),)))
        case _:
            pass


def _protected(stage: NodeStage, instance_id: str) -> None:
    if instance_id in stage.cloud.groups["web"].members:
        stage.cloud.owner_marks("web", instance_id, protected=True)


def played(play: Play) -> NodeStage:
    def look(stage: Stage) -> None:
        assert isinstance(stage, NodeStage)
        assert not stage.faults(), stage.faults()

    stage = NodeStage(set_up(play), groups=GROUPS, nodes=NODES, seed=play.seed, lost=0.05, after_step=look)
    for each in play.happenings:
        happen(stage, each, play.size)
    return stage.observed(until=THE_END)


@given(plays)
@settings(
    max_examples=max(10, settings().max_examples // 8), suppress_health_check=[HealthCheck.too_slow], deadline=None
)
def test_no_node_is_terminated_before_it_is_empty_and_the_group_ends_as_its_owner_wants_it(play: Play) -> None:
    stage = played(play)
    assert len(stage.members()) == play.size
    assert stage.orphans() == []
