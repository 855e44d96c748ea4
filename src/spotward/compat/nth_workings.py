"""What the values of the Node Termination Handler's options become, where that takes more than a name.

Several of its options speak of one thing of ours (`enable-rebalance-monitoring`, `enable-rebalance-draining` and
`cordon-only` of what advice calls for), so each working sees all answers, and all that speak of one thing say the same.
"""

from spotward.compat.go_template import translated
from spotward.compat.option import Answers, Effect, Refusal, Working

METRICS_PORT, PROBES_PORT = 9092, 8080
"""Where its two servers are when nothing is said."""

HEALTH_PATH = "/healthz"

RESPONSES = {
    "nodes.interruption": "enable-spot-interruption-draining",
    "nodes.maintenance": "enable-scheduled-event-draining",
    "nodes.termination": "enable-asg-lifecycle-draining",
}
"""Our response → the switch that it has for it."""


def to(*targets: str) -> Working:
    """The value as it is."""
    return lambda value, _: dict.fromkeys(targets, value)


def either(target: str, *, yes: object, no: object) -> Working:
    """One thing or the other."""
    return lambda value, _: {target: yes if value else no}


def flagged(*targets: str) -> Working:
    """Options that take no value, if it is true."""
    return lambda value, _: dict.fromkeys(targets, "") if value else {}


def nothing(_value: object, _answers: Answers) -> Effect:
    """It is always so here."""
    return {}


def refused(why: str) -> Working:
    """Whatever it says."""

    def working(_value: object, _answers: Answers) -> Effect:
        raise Refusal(why)

    return working


# ---- what is done at which news --------------------------------------------------------------------------------


def response(target: str) -> Working:
    """Emptied, cordoned or left alone."""

    def working(_value: object, answers: Answers) -> Effect:
        return {target: _response(target, answers)}

    return working


def rebalance(_value: object, answers: Answers) -> Effect:
    """What advice calls for."""
    return {"nodes.rebalance": _rebalance(answers)}


def cordon_only(value: bool, answers: Answers) -> Effect:
    """Nothing goes further than a cordon; what is off stays off."""
    if not value:
        return {}
    told = {"enable-rebalance-monitoring", "enable-rebalance-draining"} & set(answers)
    advice = _rebalance(answers) if told else "cordon"
    others = {target: _response(target, answers) for target in RESPONSES}
    return {**others, "nodes.rebalance": advice, "nodes.shutdown": "cordon"}


def _response(target: str, answers: Answers) -> str:
    return _at_most_cordon("drain" if answers.get(RESPONSES[target], True) else "off", answers)


def _rebalance(answers: Answers) -> str:
    drains, cordons = answers.get("enable-rebalance-draining"), answers.get("enable-rebalance-monitoring")
    return _at_most_cordon("drain" if drains else "cordon" if cordons else "off", answers)


def _at_most_cordon(wanted: str, answers: Answers) -> str:
    return "cordon" if wanted == "drain" and answers.get("cordon-only") else wanted


# ---- what is refused for some values ---------------------------------------------------------------------------


def taint_effect(value: str, _answers: Answers) -> Effect:
    """NoExecute is refused, as everywhere here."""
    if value == "NoExecute":
        raise Refusal("it would take every pod at once, past every budget; give NoSchedule or PreferNoSchedule")
    return {"nodes.taint_effect": value}


def managed_tag(usual: str) -> Working:
    """Tags are not looked at, so a choice by tag cannot be kept."""

    def working(value: str, answers: Answers) -> Effect:
        if value != usual and answers.get("check-tag-before-draining", True):
            raise Refusal(
                f"which instances are tagged {value} is not looked at: every node of the cluster would be emptied when"
                " its machine goes; if that is what you want, set check-tag-before-draining to false"
            )
        return {}

    return working


def uptime_file(value: str, _answers: Answers) -> Effect:
    """The usual file says nothing new."""
    if value.strip() == "/proc/uptime":
        return {}
    raise Refusal("a reboot is told by the boot id that the kubelet reports, and not by a file; leave it out")


def webhook_template(value: str, _answers: Answers) -> Effect:
    """In our form, where it only names fields."""
    try:
        return {"webhook.template": translated(value)}
    except ValueError as error:
        raise Refusal(f"{error}; write it in Spotward's form and set webhook.template") from None


def queue_mode(value: bool, _answers: Answers) -> Effect:
    """Which of our two programs is meant; that it is the right one was seen before."""
    return {"kubernetes.enabled": True} if value else {}


# ---- pages -----------------------------------------------------------------------------------------------------


def pages(_value: object, answers: Answers) -> Effect:
    """Both of its servers in one, at one port."""
    metrics = answers.get("prometheus-server-port", METRICS_PORT) if answers.get("enable-prometheus-server") else None
    probes = answers.get("probes-server-port", PROBES_PORT) if answers.get("enable-probes-server") else None
    if metrics is not None and probes is not None and metrics != probes:
        raise Refusal(
            f"metrics at {metrics} and probes at {probes} are one server here, with one port; give both the same port,"
            " or turn one of them off, and point its reader at the other"
        )
    port = metrics if metrics is not None else probes
    return {} if port is None else {"web.host": "0.0.0.0", "web.port": port, "agent --bind-addr": f":{port}"}  # noqa: S104 - it serves every address, and who asks for its server wants that


def probes_endpoint(value: str, _answers: Answers) -> Effect:
    """There is one path."""
    if value.strip() != HEALTH_PATH:
        raise Refusal(f"health is told at {HEALTH_PATH}; point the probe there and leave it out")
    return {}


# ---- the queue -------------------------------------------------------------------------------------------------


def heartbeat_until(value: int, answers: Answers) -> Effect:
    """As there, it needs the interval, which is no longer than it."""
    interval = answers.get("heartbeat-interval")
    if interval is None:
        raise Refusal("it says nothing without heartbeat-interval; give both, or set nodes.heartbeat_seconds_max")
    if interval > value:
        raise Refusal(f"the heartbeat-interval of {interval} s is longer; give at least as much")
    return {"nodes.heartbeat_seconds_max": value}
