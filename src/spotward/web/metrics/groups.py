"""Groups in scope: what each has, what its owner wants, what waits, and what it saves."""

from collections.abc import Callable

from spotward.web.figures import Figures
from spotward.web.metrics.question import Answer, Question, Reading, each

GROUP = ("region", "group")


def each_group(figure: Callable[[Figures], float | None]) -> Callable[[Reading], Answer]:
    """One sample for each group of which it is known."""

    def answer(reading: Reading) -> Answer:
        for group in reading.groups:
            value = figure(group)
            if value is not None:
                yield (group.region, group.group), value

    return answer


def _members(reading: Reading) -> Answer:
    for group in reading.groups:
        for lifecycle, number in group.members.items():
            yield (group.region, group.group, lifecycle), number


def _saving_per_hour(reading: Reading) -> Answer:
    for group in reading.groups:
        if group.saving is not None:
            yield (group.region, group.group, group.saving.currency), group.saving.per_hour


def _saving_age_seconds(reading: Reading) -> Answer:
    for group in reading.groups:
        if group.saving is not None:
            yield (group.region, group.group), max(0.0, reading.look.time - group.saving.price_time)


GROUPS = (
    Question(
        name="spotward_group_members",
        labels=(*GROUP, "lifecycle"),
        help="Members of a group by how they are bought, without those that are leaving.",
        answer=_members,
    ),
    Question(
        name="spotward_group_members_in_service",
        labels=GROUP,
        help="Members that are in service and healthy.",
        answer=each_group(lambda group: group.in_service),
    ),
    Question(
        name="spotward_group_members_waiting",
        labels=GROUP,
        help="Members that are to be replaced and that no swap has taken up yet.",
        answer=each_group(lambda group: group.waiting),
    ),
    Question(
        name="spotward_group_desired_capacity",
        labels=GROUP,
        help="Desired capacity as its owner has it, without what open swaps have added for the time being.",
        answer=each_group(lambda group: group.desired),
    ),
    Question(
        name="spotward_group_on_demand_wanted",
        labels=GROUP,
        help="Members that are to stay on demand, by the group's base and percentage.",
        answer=each_group(lambda group: group.on_demand_wanted),
    ),
    Question(
        name="spotward_group_left_alone",
        labels=GROUP,
        help="1 while something keeps members that could be replaced as they are, else 0.",
        answer=each_group(lambda group: group.left_alone),
    ),
    Question(
        name="spotward_group_pause_seconds",
        labels=GROUP,
        help="For how long a group is still left alone after a swap of it failed; 0 when it is not.",
        answer=each_group(lambda group: group.pause_seconds),
    ),
    Question(
        name="spotward_group_saving_estimate_per_hour",
        labels=(*GROUP, "currency"),
        help="Estimate: what Spot members with known prices cost less per hour than on-demand, at the last ranking.",
        answer=_saving_per_hour,
    ),
    Question(
        name="spotward_group_saving_estimate_members",
        labels=GROUP,
        help="Spot members that the estimate of the saving counts.",
        answer=each_group(lambda group: group.saving.members if group.saving else None),
    ),
    Question(
        name="spotward_group_saving_estimate_age_seconds",
        labels=GROUP,
        help="Age of the oldest prices behind the estimate of the saving.",
        answer=_saving_age_seconds,
    ),
    Question(
        name="spotward_group_saving_estimate_accrued",
        labels=(*GROUP, "currency"),
        help="Estimate: what was saved since the process began; it falls while Spot costs more than on-demand.",
        answer=each(lambda look: look.saved),
    ),
)
