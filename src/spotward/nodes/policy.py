"""What the operator wants of nodes. Every value has a safe default, and nothing happens until a cluster is known."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from math import inf

from spotward.model.errors import ConfigError
from spotward.model.incident import Cause


class Response(StrEnum):
    """How far we go when something is heard of a node; each does what those before it do."""

    OFF = "off"
    """It is not even noted."""
    NOTE = "note"
    """It stands in the journal and is told; the node is not touched."""
    CORDON = "cordon"
    """No new pods come to the node."""
    REPLACE = "replace"
    """The node is emptied once its successor is ready."""
    DRAIN = "drain"
    """The node is emptied at once."""

    @property
    def rank(self) -> int:
        """How far it goes; more is further."""
        return list(Response).index(self)


class PastBudget(StrEnum):
    """When a pod is deleted although its disruption budget says no."""

    NEVER = "never"
    AT_DEADLINE = "at-deadline"
    """When otherwise it would be killed without its time to stop."""
    ALWAYS = "always"
    """At once."""

    @property
    def rank(self) -> int:
        """How much it allows; more is more."""
        return list(PastBudget).index(self)


class Sparing(StrEnum):
    """What is done about pods that nobody makes again as they were."""

    EVICT = "evict"
    """Like any other pod."""
    DEADLINE = "deadline"
    """Only when the machine goes whatever we do; else the drain waits for them."""
    LEAVE = "leave"
    """Never."""


LEAST: Mapping[str, int] = {"pods_at_once_max": 1, "blocked_retry_seconds": 1, "off_look_seconds": 1}
"""The least that a number of `NodesPolicy` may be, where it is not 0."""

RESERVE_SECONDS_MAX = 90
"""Of EC2's two minutes something must be left for the pods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodesPolicy:
    """What holds for all nodes of the cluster."""

    cluster: str = ""
    """Name of the Kubernetes cluster, as the instances' tag `kubernetes.io/cluster/NAME` says it. With it, instances
    that are tagged as nodes of another cluster are left alone from the start, and the hook of one that is tagged as
    ours and never became a node is completed. Without a name only the nodes themselves tell what is ours."""

    awaited: bool = False
    """Keep what is heard of an instance before the cluster was seen until it is. Set by the edge where a cluster is
    looked after, and needed by nobody else."""

    interruption: Response = Response.DRAIN
    """At EC2's notice that it takes the instance."""

    rebalance: Response = Response.REPLACE
    """At EC2's advice to move off the instance. The advice comes far more often than a notice follows (of 45 messages
    that one user counted, 30 were advice and 15 were notices), so nothing is evicted before a successor is ready."""

    maintenance: Response = Response.DRAIN
    """When EC2 will reboot, stop or retire the instance."""

    termination: Response = Response.DRAIN
    """When the group takes the instance out."""

    shutdown: Response = Response.DRAIN
    """When the instance is stopping already."""

    asked: Response = Response.DRAIN
    """When a step of your own rules wants a node empty (the plugin `kubernetes`), and nobody takes the machine. With
    `off` such a step is refused."""

    interruption_past_budget: PastBudget = PastBudget.AT_DEADLINE
    """May pods be deleted past their disruption budgets at a notice? The machine goes all the same: a pod that is
    deleted in time stops in good order, and one that is not is killed."""

    termination_past_budget: PastBudget = PastBudget.AT_DEADLINE
    """The same when the group takes the instance out."""

    shutdown_past_budget: PastBudget = PastBudget.ALWAYS
    """The same when it is stopping already: its pods end now, whatever a budget says."""

    maintenance_past_budget: PastBudget = PastBudget.NEVER
    """The same at maintenance."""

    voluntary_past_budget: PastBudget = PastBudget.NEVER
    """The same at advice, when we replace the node ourselves, and when a step of your own rules wants it empty."""

    surge: bool = False
    """Before the only available pods of a Deployment are moved off a node that nothing forces us to empty, lend the
    Deployment one more, and wait until it is available elsewhere; then put its number back. So too where a budget needs
    as many as there are. Off by default, because it changes what is not a node's: it needs the rights to read
    Deployments and to set their scale. A Deployment with a HorizontalPodAutoscaler is left to that."""

    surge_wait_seconds: float = 600.0
    """How long a lent pod may take to be available. Then the number is put back, and the pods stay on the node as long
    as nothing forces them."""

    pod_grace_seconds_max: float = 0.0
    """No pod is given longer than this to stop, whatever its owner gave it. 0 sets no bound: it is cut short only where
    the time does not suffice."""

    reserve_seconds: float = 20.0
    """Kept free before a deadline: for volumes to be unmounted and detached, and for clocks that differ."""

    watch_seconds: float = 5.0
    """A node counts as empty only so long after it was cordoned: a pod may have been on its way to it."""

    voluntary_drains_at_once_max: int = 10
    """Of the nodes that nothing forces us to empty (advice, maintenance, replacement), how many are being emptied at
    the same time. Ten keeps budgets and the API server calm on a cluster of a thousand nodes. Set 0 to empty none."""

    pods_at_once_max: int = 50
    """At most so many pods of one node are asked to go in one call of ours."""

    maintenance_lead_seconds: float = 3600.0
    """How long before scheduled maintenance a node is cordoned and emptied. The news may come two weeks ahead."""

    termination_seconds: float = 900.0
    """How long a node may take to be emptied while a lifecycle hook holds it. Then what is left is deleted past its
    budgets, in time for the hook. EKS gives its managed nodes as much."""

    shutdown_seconds: float = 30.0
    """How long the pods of an instance that is stopping have, at most, before the machine is off."""

    heartbeats: bool = True
    """Ask Auto Scaling to go on waiting while a node is being emptied. Off, the hook's own timeout is the deadline."""

    heartbeat_seconds: float = 0.0
    """How often Auto Scaling is asked to go on waiting: at half of the hook's own timeout, or more often with a shorter
    time here. 0 leaves it at that half, which forgives one call that fails."""

    heartbeat_seconds_max: float = 48 * 3600.0
    """For no longer than this is a hook kept waiting; Auto Scaling allows 48 hours, and 100 heartbeat timeouts."""

    hook_delay_seconds: float = 0.0
    """So long after its node is empty a lifecycle hook is completed, for whatever must still happen before the machine
    goes: logs that are sent off, load balancers. Heartbeats keep the hook waiting meanwhile."""

    complete_for_lost: bool = True
    """Complete the hook of an instance that is tagged as one of this cluster's and never became a node of it: nobody
    else would."""

    rebalance_keep_seconds: float = 4 * 3600.0
    """When nothing follows advice for so long, what was set on the node is taken back."""

    successor_wait_seconds: float = 1200.0
    """When no successor of an advised node is ready by then, that is said; the node stays, and keeps its mark."""

    rebalance_storm_max: int = 20
    """When more nodes than this are under advice at once, further ones are only noted: so much advice is about a market
    and not about machines, and moving everything at once would be the outage that it warns of."""

    taint: bool = True
    """Taint a node that is being emptied, so that nothing that would have to go again comes to it."""

    taint_key: str = "spotward.io/leaving"
    """Key of that taint; its value is the cause. Pods that tolerate it are left alone."""

    taint_effect: str = "NoSchedule"
    """NoSchedule or PreferNoSchedule. NoExecute is refused: it would take every pod at once, past every budget."""

    nth_marks: bool = False
    """Set the Node Termination Handler's taints and labels (`aws-node-termination-handler/…`) too, for whoever reads
    them. They are taken back with our own; what that tool itself left on a node is not."""

    exclude_from_load_balancers: bool = True
    """Label the node so that load balancers stop sending to it, before anything is evicted."""

    load_balancer_seconds: float = 0.0
    """For at least so long load balancers are given to let go of the node: until then it does not count as empty. Set
    your longest deregistration delay for those that cannot be asked (`load_balancer_targets`)."""

    load_balancer_targets: bool = True
    """Wait until load balancers say that they have let go of the node: those of target groups whose targets are nodes
    and which a controller in the cluster manages, and those of the node's own group. A node that is a target nowhere
    costs no call. Where pods are targets by their address, nothing is waited for: their own stopping covers it."""

    bare_pods: Sparing = Sparing.DEADLINE
    """Pods without a controller, which nobody makes again."""

    jobs: Sparing = Sparing.DEADLINE
    """Pods of Jobs, whose work begins anew."""

    local_data: Sparing = Sparing.EVICT
    """Pods with an emptyDir or a directory of the node, whose data do not go with them."""

    daemon_sets: bool = False
    """Evict pods of DaemonSets too, after all others. They come back unless the taint keeps them away."""

    leave_annotation: str = "spotward.io/leave"
    """A pod with this annotation set to `true` is left alone, and dies with its machine."""

    own_namespace: str = ""
    """Namespace of the pod that Spotward runs in; empty outside of the cluster."""

    own_pod: str = ""
    """Its name. On a node that is emptied it goes last."""

    own_node: str = ""
    """Name of the node that an agent runs on: whatever it hears is of that node's machine, also where the node does not
    name its instance. Set by the edge, and needed by nobody else."""

    blocked_retry_seconds: float = 15.0
    """A pod that is refused although no budget that we know of is in the way is asked again after so long."""

    held_retry_seconds: float = 60.0
    """A pod that a budget holds back is asked again as soon as the budget opens, and after so long in any case."""

    off_look_seconds: float = 15.0
    """How often EC2 is asked whether a machine is off whose deadline has passed, or whose pods are stuck."""

    forget_seconds: float = 1800.0
    """An incident whose deadline passed so long ago, and whose node is still there and well, has come to nothing."""

    out_of_service: bool = True
    """Mark a node out of service once EC2 says that its machine is off, and not before, so that its pods' successors
    need not wait for their names and volumes."""

    delete_node_seconds: float = 60.0
    """How long the cloud's own controller has to remove the node object of a terminated instance before we do it."""

    tell_cluster: bool = True
    """Write Kubernetes Events on the node, and on pods that did not go in good order."""

    notify: bool = False
    """Tell a person when emptying a node begins and when it has ended. Set by the edge when a webhook is configured."""

    def __post_init__(self) -> None:
        if self.taint_effect not in ("NoSchedule", "PreferNoSchedule"):
            raise ConfigError(
                f"the taint effect is {self.taint_effect}; give NoSchedule or PreferNoSchedule"
                " (NoExecute would take every pod at once, past every budget)",
                setting="nodes.taint_effect",
            )
        if self.reserve_seconds > RESERVE_SECONDS_MAX:
            raise ConfigError(
                f"the reserve is {self.reserve_seconds:g} s; give 0 to {RESERVE_SECONDS_MAX}, of EC2's two minutes",
                setting="nodes.reserve_seconds",
            )
        for each in fields(self):
            value, least = getattr(self, each.name), LEAST.get(each.name, 0)
            if isinstance(value, int | float) and not least <= value < inf:
                raise ConfigError(
                    f"`{each.name}` is {value:g}; give a number from {least} up", setting=f"nodes.{each.name}"
                )

    @property
    def expects_a_cluster(self) -> bool:
        """Is there a cluster to wait for before anything was seen of it?"""
        return self.awaited or bool(self.cluster)

    def response(self, cause: Cause) -> Response:
        """How far we go at a cause."""
        responses: Mapping[Cause, Response] = {
            Cause.INTERRUPTION: self.interruption,
            Cause.REBALANCE: self.rebalance,
            Cause.MAINTENANCE: self.maintenance,
            Cause.TERMINATION: self.termination,
            Cause.SHUTDOWN: self.shutdown,
            Cause.SWAP: Response.DRAIN,
            Cause.ASKED: self.asked,
            Cause.ARRIVAL: Response.NOTE,
        }
        return responses[cause]

    def past_budget(self, cause: Cause) -> PastBudget:
        """When budgets are passed at a cause."""
        policies: Mapping[Cause, PastBudget] = {
            Cause.INTERRUPTION: self.interruption_past_budget,
            Cause.TERMINATION: self.termination_past_budget,
            Cause.SHUTDOWN: self.shutdown_past_budget,
            Cause.MAINTENANCE: self.maintenance_past_budget,
        }
        return policies.get(cause, self.voluntary_past_budget)
