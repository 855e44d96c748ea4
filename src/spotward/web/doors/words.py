"""What people may want of a flow, by the doors."""

from collections.abc import Awaitable, Callable

from spotward.model.flow_event import FlowEvent

Word = Callable[[str, str], Awaitable[FlowEvent]]
"""(key of a flow, `retry` or `cancel`) -> the event that says so. Raises ConfigError in words for a person."""
