"""What Prometheus is told of one machine's fate. Each metric is a question put to what the machine's ear has heard.

The first three metrics have the names, labels and help texts of the spot termination exporter, so that alert rules
written for it go on working; `aws_instance_rebalance_recommended` and `aws_instance_metadata_service_events_available`
have those of its maintained descendant. What was heard stays told while the service fails: an instance that is to be
terminated is not saved by a 500.
"""

from collections.abc import Iterable
from itertools import chain

from spotward.aws.imds_watch import IDENTITY, Watch
from spotward.events.eventbridge import NOTICE_SECONDS
from spotward.events.imds import INTERRUPTION, MAINTENANCE, REBALANCE, TARGET_STATE, Machine
from spotward.model.event import InterruptionNoticed, MaintenanceScheduled, RebalanceAdvised, TargetStateChanged
from spotward.web.exposition import Family, Sample
from spotward.web.ourselves import of_ourselves

ID = ("instance_id",)
ID_AND_TYPE = ("instance_id", "instance_type")

NOBODY = Machine(instance_id="", region="")
"""Whose metadata it is, before that was told."""


def families(watch: Watch, *, time: float) -> Iterable[Family]:
    """All of it, at `time` (Unix seconds)."""
    machine = watch.machine or NOBODY
    return chain(
        _of_termination(watch, machine, time),
        _of_rebalance(watch, machine, time),
        _of_maintenance(watch, machine, time),
        _of_the_machine(watch, machine),
        _of_the_service(watch, machine),
        of_ourselves(),
    )


def _heard(watch: Watch, path: str) -> float:
    """Could the document be had at the last try?"""
    return float(watch.machine is not None and path not in watch.unheard)


def _of_termination(watch: Watch, machine: Machine, time: float) -> Iterable[Family]:
    notice = next((each for each in watch.seen.of(INTERRUPTION) if isinstance(each, InterruptionNoticed)), None)
    me = (machine.instance_id,)
    yield Family(
        name="aws_instance_metadata_service_available",
        help="Metadata service available",
        labels=ID,
        samples=((me, _heard(watch, INTERRUPTION)),),
    )
    imminent = (notice.action if notice else "", machine.instance_id)
    yield Family(
        name="aws_instance_termination_imminent",
        help="Instance is about to be terminated",
        labels=("instance_action", "instance_id"),
        samples=((imminent, float(notice is not None)),) if watch.machine is not None else (),
    )
    left = notice.deadline - time if notice else 0.0
    yield Family(
        name="aws_instance_termination_in",
        help="Instance will be terminated in",
        labels=ID,
        samples=((me, left),) if left > 0 else (),
    )
    yield Family(
        name="aws_instance_termination_notice_age_seconds",
        help="How long ago EC2 gave the notice",
        labels=ID,
        samples=((me, max(0.0, time - _noticed(notice))),) if notice else (),
    )


def _noticed(notice: InterruptionNoticed) -> float:
    """When the notice was given: it is read later than that, and tells only its deadline."""
    return min(notice.time, notice.deadline - (0.0 if notice.action == "hibernate" else NOTICE_SECONDS))


def _of_rebalance(watch: Watch, machine: Machine, time: float) -> Iterable[Family]:
    advice = next((each for each in watch.seen.of(REBALANCE) if isinstance(each, RebalanceAdvised)), None)
    yield Family(
        name="aws_instance_metadata_service_events_available",
        help="Metadata service events endpoint available",
        labels=ID,
        samples=(((machine.instance_id,), _heard(watch, REBALANCE)),),
    )
    me = (machine.instance_id, machine.instance_type)
    yield Family(
        name="aws_instance_rebalance_recommended",
        help="Instance rebalance is recommended",
        labels=ID_AND_TYPE,
        samples=((me, float(advice is not None)),) if watch.machine is not None else (),
    )
    yield Family(
        name="aws_instance_rebalance_recommendation_age_seconds",
        help="How long ago EC2 recommended to rebalance",
        labels=ID_AND_TYPE,
        samples=((me, max(0.0, time - advice.time)),) if advice else (),
    )


def _of_maintenance(watch: Watch, machine: Machine, time: float) -> Iterable[Family]:
    scheduled = [each for each in watch.seen.of(MAINTENANCE) if isinstance(each, MaintenanceScheduled)]
    yield Family(
        name="aws_instance_scheduled_maintenance_active",
        help="Scheduled events that are neither completed nor canceled",
        labels=ID,
        samples=(((machine.instance_id,), float(len(scheduled))),) if watch.machine is not None else (),
    )
    yield Family(
        name="aws_instance_scheduled_event_in",
        help="Seconds until a scheduled event may begin; below 0 when it may have begun",
        labels=("instance_id", "event_id", "code"),
        samples=tuple(((machine.instance_id, each.event_id, each.code), each.start_time - time) for each in scheduled),
    )


def _of_the_machine(watch: Watch, machine: Machine) -> Iterable[Family]:
    states = [each.state for each in watch.seen.of(TARGET_STATE) if isinstance(each, TargetStateChanged)]
    yield Family(
        name="aws_instance_target_lifecycle_state",
        help="The state to which Auto Scaling takes the instance, as a label",
        labels=("instance_id", "state"),
        samples=tuple(((machine.instance_id, state), 1.0) for state in states),
    )
    about = (machine.instance_id, machine.instance_type, machine.az, machine.region)
    yield Family(
        name="aws_instance_info",
        help="Always 1; what the instance is stands in the labels",
        labels=("instance_id", "instance_type", "availability_zone", "region"),
        samples=((about, 1.0),) if watch.machine is not None else (),
    )


def _of_the_service(watch: Watch, machine: Machine) -> Iterable[Family]:
    yield Family(
        name="aws_instance_imds_version",
        help="How the metadata service was last asked: 2 with a token, 1 without",
        labels=ID,
        samples=(((machine.instance_id,), float(watch.imds.version)),) if watch.machine is not None else (),
    )
    yield Family(
        name="spotward_imds_trouble",
        help="1 for each document that cannot be had or read; the log says why",
        labels=("document",),
        samples=tuple(((path,), float(path in watch.troubles)) for path in (IDENTITY, *watch.policy.paths)),
    )
    yield Family(
        name="spotward_imds_failures_total",
        help="Requests to the metadata service that failed",
        labels=("reason",),
        kind="counter",
        samples=tuple(((code,), float(number)) for code, number in sorted(watch.imds.failures.items())),
    )
    yield Family(
        name="spotward_imds_polls_total",
        help="How often the metadata service was looked at",
        kind="counter",
        samples=_one(float(watch.polls)),
    )


def _one(figure: float) -> tuple[Sample, ...]:
    return (((), figure),)
