"""What carrying an incident on is written in: the scene it happens in, and the steps it asks for so far."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from spotward.model.action import Action
from spotward.model.cluster import Budget, Node, Pod
from spotward.model.cluster_view import NodePods
from spotward.model.decision import Verdict, WakeAt, Wish
from spotward.model.incident import Cause, Incident, Signal
from spotward.model.page import Note
from spotward.model.world import World
from spotward.nodes.deadline import stop_time
from spotward.nodes.policy import NodesPolicy, PastBudget, Response


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a step may look at. Everything in it was known before the step; only the incident changes."""

    world: World
    policy: NodesPolicy
    spent: Mapping[str, int] = field(default_factory=dict)
    """Budget → how many evictions are about to be asked of it in this very step."""

    @property
    def now(self) -> float:
        return self.world.time

    def node(self, incident: Incident) -> Node | None:
        """Its node as the cluster shows it, or None."""
        node = self.world.cluster.nodes.get(incident.node) if incident.node else None
        return node if node is not None and node.uid == incident.node_uid else None

    def pods(self, incident: Incident) -> NodePods | None:
        """Its pods, once they were seen whole."""
        return self.world.cluster.pods.get(incident.node) if self.node(incident) is not None else None

    def attached(self, incident: Incident) -> tuple[str, ...]:
        """Persistent volumes that are attached to its node."""
        here = self.world.cluster.attachments.get(incident.node, ())
        return tuple(attachment.volume for attachment in here if attachment.volume is not None)

    def response(self, incident: Incident) -> Response:
        """How far the signals that hold let us go now."""
        responses = [self._response_to(signal, incident) for signal in incident.held]
        return max(responses, key=lambda each: each.rank, default=Response.OFF)

    def _response_to(self, signal: Signal, incident: Incident) -> Response:
        """Maintenance that is far away only counts as news, and so does advice in a storm of advice."""
        early = self.begins(signal.cause, signal.deadline) > self.now
        stormy = signal.cause is Cause.REBALANCE and self.storms and not incident.marked
        wanted = self.policy.response(signal.cause)
        return Response.NOTE if wanted is not Response.OFF and (early or stormy) else wanted

    @property
    def storms(self) -> bool:
        """Is there so much advice at once that it is about the market and not about machines?"""
        return len(self.world.incidents.advised) > self.policy.rebalance_storm_max

    def begins(self, cause: Cause, deadline: float | None) -> float:
        """When what a signal calls for begins."""
        if cause is not Cause.MAINTENANCE or deadline is None:
            return -math.inf
        return deadline - self.policy.maintenance_lead_seconds

    def stop(self, incident: Incident) -> float:
        """When every pod of it must have stopped."""
        return stop_time(incident.deadline, self.policy.reserve_seconds)

    def grace(self, pod: Pod) -> float:
        """How long a pod may take to stop, in seconds: its own grace, or less where the settings bound it."""
        return min(pod.grace_seconds, self.policy.pod_grace_seconds_max or math.inf)

    def past_budget(self, incident: Incident) -> PastBudget:
        """When its pods may be deleted past their budgets: the signal that allows most decides."""
        allowed = [self.policy.past_budget(cause) for cause in incident.causes]
        return max(allowed, key=lambda each: each.rank, default=PastBudget.NEVER)

    def holders(self, pod: Pod) -> tuple[Budget, ...]:
        """The budgets that would not let the pod go now, as far as we know them."""
        return tuple(b for b in self.world.cluster.budgets_of(pod) if not b.lets_go(pod) or self._is_spent(b, pod))

    def _is_spent(self, budget: Budget, pod: Pod) -> bool:
        incidents = self.world.incidents
        spent = sum(each.get(budget.id, 0) for each in (self.spent, incidents.asking, incidents.taken))
        return not pod.passes_budgets and spent > 0 and budget.disruptions_allowed <= spent

    def in_flight(self, key: str) -> bool:
        """Was it asked, and is its outcome still to come?"""
        wish = self.world.wishes.get(key)
        return wish is not None and wish.state == "asked"

    def refused(self, key: str) -> bool:
        """Did a guard refuse it, so that it was never asked? A dry run refuses every deed."""
        return key in self.world.verdicts and key not in self.world.wishes

    def failures(self, key: str) -> int:
        """How often in a row it failed."""
        wish = self.world.wishes.get(key)
        return wish.failures if wish is not None else 0


@dataclass(frozen=True, slots=True)
class Steps:
    """An incident as it now stands, and what it wants."""

    incident: Incident
    wishes: tuple[Wish, ...] = ()
    wake: float = math.inf
    """When to look again at the latest."""
    others: tuple[WakeAt, ...] = ()
    """Of others, who wait for what has just come to pass."""
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[Note, ...] = ()

    def at(self, incident: Incident) -> "Steps":
        """With the incident further on."""
        return replace(self, incident=incident)

    def wishing(self, action: Action, reason: str) -> "Steps":
        """With one more wish."""
        return replace(self, wishes=(*self.wishes, Wish(action=action, reason=reason, urgent=self.incident.forced)))

    def waking(self, time: float) -> "Steps":
        """With a time to look again, if it is sooner than those so far."""
        return replace(self, wake=min(self.wake, time))

    def waking_up(self, subject: str | None, now: float) -> "Steps":
        """With somebody else who must look again now; None is nobody."""
        others = () if subject is None else (WakeAt(time=now, subject=subject),)
        return replace(self, others=(*self.others, *others))

    def judging(self, subject: str, text: str | None) -> "Steps":
        """With why something is left as it is."""
        return replace(self, verdicts=(*self.verdicts, Verdict(subject=subject, text=text)))

    def noting_trouble(self, text: str) -> "Steps":
        """With something that did not go as planned, said once, in the journal and in the end."""
        if text in self.incident.trouble:
            return self
        return self.at(self.incident.with_trouble(text)).noting(text)

    def noting(self, text: str) -> "Steps":
        """With a word for the journal."""
        return replace(self, notes=(*self.notes, Note(subject=self.incident.instance_id, text=text)))

    @property
    def wakes(self) -> tuple[WakeAt, ...]:
        """The one wake that it needs itself, and those of others."""
        mine = () if math.isinf(self.wake) else (WakeAt(time=self.wake, subject=self.incident.instance_id),)
        return (*self.others, *mine)
