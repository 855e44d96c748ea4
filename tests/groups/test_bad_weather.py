"""What holds whatever happens: answers are lost and late, the process is killed, owners and EC2 do as they please."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from spotward.groups.capacity import on_demand_wanted, spread
from spotward.groups.policy import policy_of
from spotward.model.action import ObserveGroup
from spotward.model.cloud import Lifecycle, Pool
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, ToyCloud

ON_DEMAND, SPOT = Lifecycle.ON_DEMAND, Lifecycle.SPOT

TROUBLE_UNTIL = 900.0
PLAYED_UNTIL = 3 * 3600.0
SETTLED_BY = 2 * 3600.0
"""By then no swap may be open, however unlucky it was: every wait in the policy is shorter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Play:
    """One history, told by numbers alone."""

    seed: int
    members: int
    spot: int
    base: int
    percentage: int
    surge: int
    headroom: int
    zones: int
    lost: float
    hiccups: float
    restarts: int
    acts: tuple[str, ...]


ACTS = (
    "notice",
    "notice thrice",
    "take",
    "kill",
    "owner scales out",
    "owner scales in",
    "owner sets max",
    "owner raises min",
    "owner protects",
    "owner parks",
    "owner suspends",
    "owner changes base",
    "pools dry",
    "pools back",
    "restart",
    "advice",
)

plays = st.builds(
    Play,
    seed=st.integers(0, 2**20),
    members=st.integers(1, 9),
    spot=st.integers(0, 4),
    base=st.integers(0, 3),
    percentage=st.sampled_from((0, 0, 25, 50)),
    surge=st.sampled_from((1, 34, 100)),
    headroom=st.sampled_from((0, 0, 1, 20)),
    zones=st.integers(1, 3),
    lost=st.sampled_from((0.0, 0.1, 0.4)),
    hiccups=st.sampled_from((0.0, 0.2)),
    restarts=st.integers(0, 3),
    acts=st.lists(st.sampled_from(ACTS), max_size=4).map(tuple),
)


def the_cloud(play: Play) -> tuple[ToyCloud, Random]:
    dice = Random(play.seed)
    cloud = ToyCloud(
        boot_seconds=lambda: dice.choice((5.0, 20.0, 40.0, 90.0)),
        service_seconds=lambda: dice.choice((1.0, 10.0, 30.0)),
    )
    azs = AZS[: play.zones]
    spot = min(play.spot, play.members)
    cloud.set_up(
        "web",
        members=[
            ("c5.large" if n < spot else "m5.large", azs[n % play.zones], SPOT if n < spot else ON_DEMAND)
            for n in range(play.members)
        ],
        max_size=play.members + play.headroom,
        tags={
            "spotward:enabled": "true",
            "spotward:on-demand-base": str(play.base),
            "spotward:on-demand-percentage": str(play.percentage),
            "spotward:surge-percentage": str(play.surge),
        },
    )
    cloud.set_up("other", members=[("m5.large", AZS[0], ON_DEMAND)] * 2, tags={"Name": "spotward"})
    return cloud, dice


def played(play: Play) -> Stage:
    cloud, dice = the_cloud(play)
    stage = Stage(cloud, seed=play.seed + 1, lost=play.lost, hiccups=play.hiccups)
    for _ in range(play.restarts):
        stage.at(dice.uniform(0, 300.0), stage.restart)
    for act in play.acts:
        stage.at(dice.uniform(0, 400.0), acting(act, stage, dice))
    stage.at(TROUBLE_UNTIL, lambda: _calm(stage))
    stage.play(until=PLAYED_UNTIL)
    return stage


def _calm(stage: Stage) -> None:
    stage._lost = stage._hiccups = 0.0
    stage.cloud.dry.clear()
    group = stage.cloud.groups["web"]
    for member in list(group.members.values()):
        if member.lifecycle_state == "Standby":
            stage.cloud.owner_marks("web", member.instance_id, lifecycle_state="InService")


def acting(act: str, stage: Stage, dice: Random) -> Callable[[], None]:
    """Something that others do, to whatever is there then."""
    return lambda: _act(act, stage, dice)


def _act(act: str, stage: Stage, dice: Random) -> None:
    cloud = stage.cloud
    group = cloud.groups["web"]
    about = group.about
    members = sorted(m.instance_id for m in group.members.values() if not m.leaving)
    some = dice.choice(members) if members else None
    spots = [i for i in members if cloud.instances[i].lifecycle is SPOT]
    match act:
        case "notice" | "notice thrice" if spots:
            stage.notice(dice.choice(spots), stage.time, times=3 if "thrice" in act else 1)
        case "take" | "kill" if some is not None:
            cloud.take(some)
        case "owner scales out":
            more = about.desired + dice.randint(12, 15)
            cloud.owner_sets("web", desired=more, max_size=more + 3)
        case "owner scales in":
            cloud.owner_sets("web", desired=dice.randint(0, 1))
        case "owner sets max":
            cloud.owner_sets("web", max_size=about.max_size + dice.randint(30, 40))
        case "owner raises min":
            cloud.owner_sets("web", min_size=group.owner_desired)
        case "owner protects" if some is not None:
            cloud.owner_marks("web", some, protected=True)
        case "owner parks" if some is not None and group.members[some].lifecycle_state == "InService":
            cloud.owner_marks("web", some, lifecycle_state="Standby")
        case "owner suspends":
            cloud.nobody_knows("web")
            group.about = replace(about, suspended=about.suspended | {"ScheduledActions"})
        case "owner changes base":
            cloud.owner_tags("web", spotward__on_demand_base=str(dice.randint(0, 4)))
        case "pools dry":
            cloud.dry = {
                Pool(instance_type=kind, az=az): "InsufficientInstanceCapacity"
                for kind, _ in cloud.offers
                for az in AZS
                if dice.random() < 0.8
            }
        case "pools back":
            cloud.dry.clear()
        case "restart":
            stage.restart()
        case _:
            pass


@settings(max_examples=150, deadline=None, derandomize=True)
@given(plays)
def test_whatever_happens_the_group_is_left_as_its_owner_wants_it(play: Play) -> None:
    stage = played(play)
    cloud, group = stage.cloud, stage.cloud.groups["web"]
    about = group.about

    assert cloud.faults == []
    assert stage.orphans() == []
    assert not list(stage.world.undertakings.values())
    assert all((swap.ended_time or 0) < SETTLED_BY for swap in stage.ended)
    assert about.desired == group.owner_desired
    assert "spotward:owner-max-size" not in about.tags
    assert "spotward:suspended-processes" not in about.tags
    assert about.suspended <= {"ScheduledActions"}

    wanted = on_demand_wanted(policy_of(about, stage.policy), about.desired)
    on_demand = [m for m in group.members if cloud.instances[m].lifecycle is ON_DEMAND]
    stuck = {lifecycle: 0 for lifecycle in Lifecycle}
    for member in group.members.values():
        stuck[cloud.instances[member.instance_id].lifecycle] += member.protected
    assert len(on_demand) >= min(wanted, about.desired - stuck[SPOT])
    assert len(on_demand) <= max(wanted, stuck[ON_DEMAND])
    assert cloud.serving(group) == max(about.desired, stuck[SPOT] + stuck[ON_DEMAND])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(plays)
def test_a_group_that_is_not_opted_in_is_never_touched(play: Play) -> None:
    stage = played(play)
    assert [asked for _, asked in stage.asked if asked.action.subject.endswith("/other")] == []
