"""Where in a trace something stands: W3C Trace Context, worked out of what is known anyway.

The ids are digests of names that we have (an occurrence's identity, a call's key), and not dice: so a call that is
asked again after a restart stands in the same trace, and whoever calls a plugin need not ask whoever tells of traces. A
trace that somebody else began is gone on with: the CloudEvents extension `traceparent` (Distributed Tracing extension
of CloudEvents 1.0) says which.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

from spotward.model.flow_action import CallPlugin
from spotward.model.occurrence import Occurrence

TRACEPARENT = "traceparent"
"""Name of the extension, the header and the metadata."""

FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""Of version 00, and of what later ones begin with (W3C Trace Context, "traceparent Header Field Values")."""

SAMPLED = 0x01


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceContext:
    """One span of a trace."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 of them."""
    sampled: bool = True
    """Is it recorded? Whoever began the trace decides."""

    @property
    def traceparent(self) -> str:
        """As it goes over the wire."""
        return f"00-{self.trace_id}-{self.span_id}-{SAMPLED if self.sampled else 0:02x}"

    def child(self, name: str) -> "TraceContext":
        """A span of the same trace, by what names it there."""
        return TraceContext(
            trace_id=self.trace_id, span_id=_digest(f"{self.trace_id} {name}", 16), sampled=self.sampled
        )


def read(traceparent: str) -> TraceContext | None:
    """What it says; None for what is none, which is to be treated as if it were not there."""
    found = FORM.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id=trace_id, span_id=span_id, sampled=bool(int(flags, 16) & SAMPLED))


def root(name: str) -> TraceContext:
    """The first span of a trace of ours, by what names it among all."""
    return TraceContext(trace_id=_digest(f"trace {name}", 32), span_id=_digest(f"span {name}", 16))


def came_with(occurrence: Occurrence) -> TraceContext | None:
    """The span of somebody else that it came from, if it says so."""
    return read(dict(occurrence.extensions).get(TRACEPARENT, ""))


def of_occurrence(occurrence: Occurrence) -> TraceContext:
    """The span of our hearing it."""
    sender = came_with(occurrence)
    return root(occurrence.identity) if sender is None else sender.child(occurrence.identity)


def of_call(call: CallPlugin) -> TraceContext:
    """The span of a call of a plugin; each try has its own."""
    return of_occurrence(call.occurrence).child(f"{call.key} {call.tries}")


def sent_with(call: CallPlugin, *, traced: bool) -> str:
    """What a plugin is told of the trace; empty where there is none. traced: do we tell of traces ourselves?

    If not, what came with the event is passed on, so that who called us and whom we call find each other.
    """
    context = of_call(call) if traced else came_with(call.occurrence)
    return "" if context is None else context.traceparent


def _digest(text: str, digits: int) -> str:
    found = sha256(text.encode()).hexdigest()[:digits]
    return found if int(found, 16) else "1".zfill(digits)  # all noughts would be no id
