"""What holds whatever happens: answers are lost and late, the process is killed, owners and EC2 do as they please."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotward.groups.capacity import on_demand_wanted
from spotward.groups.policy import policy_of
from spotward.groups.scope import in_scope
from spotward.model.action import (
    AttachInstances,
    LaunchFleet,
    ObserveGroup,
    RetireMember,
    SetMaxSize,
    TagGroup,
    TerminateInstances,
)
from spotward.model.cloud import Lifecycle, Pool
from spotward.model.errors import ConfigError
from spotward.model.event import RebalanceAdvised
from spotward.model.order import Ordered, SwapReason, SwapWanted
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, REGION, NotDone, ToyCloud, ToyGroup

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
    old_reads: float
    restarts: int
    acts: tuple[str, ...]


def the_cloud(play: Play) -> tuple[ToyCloud, Random]:
    dice = Random(play.seed)
    cloud = ToyCloud(
        boot_seconds=lambda: dice.choice((5.0, 20.0, 40.0, 90.0)),
        service_seconds=lambda: dice.choice((1.0, 10.0, 30.0)),
        reads_old=lambda: play.old_reads > 0 and dice.random() < play.old_reads,
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
    """Everything works again, and what the owner parked goes on."""
    stage.lost = stage.hiccups = 0.0
    stage.cloud.dry.clear()
    group = stage.cloud.groups.get("web")
    for member in list(group.members.values()) if group else ():
        if member.lifecycle_state == "Standby":
            stage.cloud.owner_marks("web", member.instance_id, lifecycle_state="InService")


def acting(act: str, stage: Stage, dice: Random) -> Callable[[], None]:
    """Something that others do, to whatever is there then."""

    def done() -> None:
        if "web" in stage.cloud.groups:
            ACTS[act](stage, dice)

    return done


def _members(stage: Stage) -> list[str]:
    return sorted(m.instance_id for m in stage.cloud.groups["web"].members.values() if not m.leaving)


def _notice(stage: Stage, dice: Random, *, times: int = 1, advice: bool = False) -> None:
    spots = [i for i in _members(stage) if stage.cloud.instances[i].lifecycle is SPOT]
    if spots and advice:
        stage.hear(RebalanceAdvised(time=stage.time, region=REGION, instance_id=dice.choice(spots)))
    elif spots:
        stage.notice(dice.choice(spots), stage.time, times=times)


def _order(stage: Stage, dice: Random, *, reason: SwapReason, times: int = 1) -> None:
    """Somebody orders that a member be replaced; prices are others than before."""
    for instance_id in dice.sample(_members(stage), k=min(1, len(_members(stage)))):
        kinds = [kind for kind, _ in stage.cloud.offers]
        stage.cloud.offers = tuple(sorted(((kind, dice.uniform(0.02, 0.05)) for kind in kinds), key=lambda o: o[1]))
        spot = stage.cloud.instances[instance_id].lifecycle is SPOT
        if reason is SwapReason.NOTICE and spot:
            stage.notice(instance_id, stage.time)
        wanted = SwapWanted(
            regions=("eu-west-1", REGION),
            instance_id=instance_id,
            reason=reason,
            terminate=reason is not SwapReason.NOTICE or not spot,
        )
        for n in range(times):
            key = f"{reason} {instance_id} {stage.time:.3f} {n}"
            stage.hear(Ordered(time=stage.time + 0.1 + n * dice.choice((0.0, 7.0)), order=key, wanted=wanted))


def _take(stage: Stage, dice: Random) -> None:
    for instance_id in dice.sample(_members(stage), k=min(1, len(_members(stage)))):
        stage.cloud.take(instance_id)


def _take_a_newborn(stage: Stage, dice: Random) -> None:
    newborn = [i.id for i in stage.cloud.instances.values() if i.launched_for]
    for instance_id in dice.sample(newborn, k=min(1, len(newborn))):
        stage.cloud.take(instance_id)


def _mark(stage: Stage, dice: Random, **marks: object) -> None:
    members = stage.cloud.groups["web"].members
    serving = [i for i in _members(stage) if members[i].lifecycle_state == "InService"]
    for instance_id in dice.sample(serving, k=min(1, len(serving))):
        stage.cloud.owner_marks("web", instance_id, **marks)


def _scale_out(stage: Stage, dice: Random) -> None:
    desired = stage.cloud.groups["web"].about.desired + dice.randint(12, 15)
    stage.cloud.owner_sets("web", desired=desired, max_size=desired + 3)


def _scale_in(stage: Stage, dice: Random) -> None:
    stage.cloud.owner_sets("web", desired=dice.randint(0, 1))


def _set_max(stage: Stage, dice: Random) -> None:
    stage.cloud.owner_sets("web", max_size=stage.cloud.groups["web"].about.max_size + dice.randint(30, 40))


def _raise_min(stage: Stage, dice: Random) -> None:
    stage.cloud.owner_sets("web", min_size=stage.cloud.groups["web"].owner_desired)


def _suspend(stage: Stage, dice: Random) -> None:
    stage.cloud.nobody_knows("web")
    group = stage.cloud.groups["web"]
    group.about = replace(group.about, suspended=group.about.suspended | {"ScheduledActions"})


def _dry(stage: Stage, dice: Random, code: str = "InsufficientInstanceCapacity") -> None:
    every = [Pool(instance_type=kind, az=az) for kind, _ in stage.cloud.offers for az in AZS]
    stage.cloud.dry = {pool: code for pool in every if dice.random() < 0.8}


def _refuse(stage: Stage, dice: Random) -> None:
    kinds = (AttachInstances, RetireMember, SetMaxSize, LaunchFleet, TagGroup, TerminateInstances, ObserveGroup)
    stage.cloud.failing[dice.choice(kinds)] = NotDone("AccessDenied", "you are not authorized to perform this, see a/b")
    stage.at(stage.time + dice.choice((60.0, 400.0)), stage.cloud.failing.clear)


def _still_born(stage: Stage, dice: Random) -> None:
    stage.cloud.dead_on_arrival = True
    stage.at(stage.time + dice.choice((60.0, 400.0)), lambda: setattr(stage.cloud, "dead_on_arrival", False))


ACTS: dict[str, Callable[[Stage, Random], None]] = {
    "notice": _notice,
    "notice thrice": partial(_notice, times=3),
    "advice": partial(_notice, advice=True),
    "order for cost": partial(_order, reason=SwapReason.COST),
    "order thrice": partial(_order, reason=SwapReason.WISH, times=3),
    "order at notice": partial(_order, reason=SwapReason.NOTICE, times=2),
    "take": _take,
    "take a newborn": _take_a_newborn,
    "scale out": _scale_out,
    "scale in": _scale_in,
    "set max": _set_max,
    "raise min": _raise_min,
    "protect": partial(_mark, protected=True),
    "park": partial(_mark, lifecycle_state="Standby"),
    "fail health check": partial(_mark, healthy=False),
    "suspend": _suspend,
    "change base": lambda s, dice: s.cloud.owner_tags("web", spotward__on_demand_base=str(dice.randint(0, 4))),
    "mistake in a tag": lambda s, _: s.cloud.owner_tags("web", spotward__on_demand_base="two"),
    "opt out": lambda s, _: s.cloud.owner_tags("web", spotward__enabled=None),
    "opt in": lambda s, _: s.cloud.owner_tags("web", spotward__enabled="true"),
    "delete": lambda s, _: s.cloud.owner_deletes("web"),
    "pools dry": _dry,
    "quota": partial(_dry, code="MaxSpotInstanceCountExceeded"),
    "pools back": lambda s, _: s.cloud.dry.clear(),
    "refuse": _refuse,
    "still born": _still_born,
    "restart": lambda s, _: s.restart(),
}

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
    old_reads=st.sampled_from((0.0, 0.3)),
    restarts=st.integers(0, 3),
    acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=4).map(tuple),
)


def check_the_end(stage: Stage) -> None:
    """Whatever happened: nothing of ours is left over, and nothing of the owner's is changed."""
    assert stage.cloud.faults == []
    assert stage.orphans() == []
    assert not list(stage.world.swaps.by_key.values())
    assert all((swap.ended_time or 0) < SETTLED_BY for swap in stage.ended)
    assert not list(stage.world.orders.all())
    assert [order for order in stage.orders.values() if order.ended is None] == []
    group = stage.cloud.groups.get("web")
    if group is not None:
        assert group.about.desired in (group.owner_asked, group.owner_desired)
        assert not {"spotward:owner-max-size", "spotward:suspended-processes"} & set(group.about.tags)
        assert group.about.suspended <= {"ScheduledActions"}
        check_the_base(stage, group)


def check_the_base(stage: Stage, group: ToyGroup) -> None:
    """As many on demand as the owner wants, but for members that nobody may replace."""
    about, instances = group.about, stage.cloud.instances
    stuck = Counter(instances[m.instance_id].lifecycle for m in group.members.values() if m.protected)
    assert stage.cloud.serving(group) == max(about.desired, stuck.total())
    try:
        wanted = on_demand_wanted(policy_of(about, stage.policy), about.desired)
    except ConfigError:
        return  # a tag that cannot be read: the group is left as it is
    if in_scope(about, stage.policy):
        on_demand = sum(instances[i].lifecycle is ON_DEMAND for i in group.members)
        assert min(wanted, about.desired - stuck[SPOT]) <= on_demand <= max(wanted, stuck[ON_DEMAND])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(plays)
def test_whatever_happens_the_group_is_left_as_its_owner_wants_it(play: Play) -> None:
    check_the_end(played(play))


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plays)
def test_whatever_happens_at_length_the_group_is_left_as_its_owner_wants_it(play: Play) -> None:
    check_the_end(played(play))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(plays)
def test_a_group_that_is_not_opted_in_is_never_touched(play: Play) -> None:
    stage = played(play)
    assert [asked for _, asked in stage.asked if asked.action.subject.endswith("/other")] == []
