"""What an incident may ask for, each under a key of its own: asking twice with one key is asking once."""

from enum import StrEnum

from spotward.model.incident import HookDuty, Incident
from spotward.model.workload import Surge


class Errand(StrEnum):
    """Everything that is ever asked for an incident."""

    WATCH = "watch"
    UNWATCH = "unwatch"
    CORDON = "cordon"
    MARK = "mark"
    """Cordon, and all that a node gets that is being emptied."""
    UNCORDON = "uncordon"
    EVICT = "evict"
    DELETE = "delete"
    SHORTEN = "shorten"
    FORGET = "forget"
    """Delete what the machine can no longer stop, because it is off."""
    HEARTBEAT = "heartbeat"
    COMPLETE = "complete"
    OUT_OF_SERVICE = "out of service"
    IN_SERVICE = "in service"
    LOOK_AT_WORKLOAD = "look at workload"
    RAISE = "raise"
    LOWER = "lower"
    LOOK_AT_TARGETS = "look at targets"
    DELETE_NODE = "delete node"
    TELL_BEGIN = "tell begin"
    TELL_CORDON = "tell cordon"
    TELL_MARK = "tell mark"
    TELL_END = "tell end"
    TELL_BACK = "tell back"
    NOTIFY_BEGIN = "notify begin"
    NOTIFY_END = "notify end"


HOOK_ERRANDS = (Errand.HEARTBEAT, Errand.COMPLETE)
SURGE_ERRANDS = (Errand.LOOK_AT_WORKLOAD, Errand.RAISE, Errand.LOWER)


def key_of(incident: Incident, errand: Errand) -> str:
    """The key of an errand."""
    return f"{incident.key} {errand}"


def hook_key(incident: Incident, errand: Errand, duty: HookDuty) -> str:
    """The key of an errand about one of its hooks."""
    return f"{incident.key} {errand} {duty.hook} {duty.token}"


def surge_key(incident: Incident, errand: Errand, surge: Surge) -> str:
    """The key of an errand about a Deployment."""
    return f"{incident.key} {errand} {surge.id}"


def every_key(incident: Incident) -> tuple[str, ...]:
    """Every key under which anything may have been asked for it."""
    plain = [key_of(incident, errand) for errand in Errand if errand not in (*HOOK_ERRANDS, *SURGE_ERRANDS)]
    hooks = [hook_key(incident, errand, duty) for duty in incident.hooks for errand in HOOK_ERRANDS]
    surges = [surge_key(incident, errand, surge) for surge in incident.surges for errand in SURGE_ERRANDS]
    return (*plain, *hooks, *surges)
