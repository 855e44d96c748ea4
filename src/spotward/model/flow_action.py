"""What a flow wants done: one plugin called, for one task."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from spotward.model.flow import TaskState, idempotency_key
from spotward.model.occurrence import Occurrence


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """What came of a task before this one."""

    task: str
    state: TaskState
    text: str = ""
    output_json: str = "{}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CallPlugin:
    """Call a plugin. Answered by `PluginAnswered`, or by `Failed` where it could not be asked.

    Whoever does it answers by the deadline, whatever the plugin does, and passes the idempotency key on to it.
    """

    kind: Literal["call-plugin"] = "call-plugin"
    mutates: ClassVar[bool] = True
    flow: str
    """Key of the flow."""
    rule: str
    task: str
    plugin: str
    occurrence: Occurrence
    properties_json: str = "{}"
    earlier: tuple[Earlier, ...] = ()
    """Of the tasks that are over, in their order."""
    tries: int = 1
    """Counts the tries of this task, from 1."""
    timeout_seconds: float
    deadline_time: float
    """Unix seconds: then its time is over."""
    happens_time: float | None = None
    """When what the event is about happens, where that is known."""

    @property
    def idempotency_key(self) -> str:
        """The same over all tries and restarts."""
        return idempotency_key(self.flow, self.task)

    @property
    def key(self) -> str:
        return f"call {self.idempotency_key}"

    @property
    def subject(self) -> str:
        return self.flow


def call_key(flow_key: str, task: str) -> str:
    """The key of the call of a task."""
    return f"call {idempotency_key(flow_key, task)}"
