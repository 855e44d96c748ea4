"""EventBridge: what happens in the virtual regions, and what users put, goes to the rules' targets.

Rules and targets are moto's to keep (PutRule, PutTargets, CloudFormation), and so is the test of a pattern. The
delivery is ours: moto's would lose the account of an event, ignore constants and paths, send to disabled rules, and
fail on targets it does not know. Queues get what AWS would send them; other kinds of target are left to moto.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend
from moto.events.models import EventBus as MotoBus
from moto.events.models import Rule

from spotward.emulator.markup import write_time
from spotward.emulator.queues.sqs import Sqs
from spotward.emulator.transform import target_input
from spotward.sim.errors import ApiError

_log = logging.getLogger(__name__)

ENTRIES_MAX = 10
"""Entries of one PutEvents. AWS's limit."""

DEFAULT_BUS = "default"

Envelope = Mapping[str, Any]
"""A whole event, as EventBridge delivers it."""


class Bus:
    """The event buses of one region of one account."""

    def __init__(
        self, *, account: str, region: str, seed: int, now: Callable[[], float], sqs_of: Callable[[str], Sqs]
    ) -> None:
        """`now`: virtual time. `sqs_of`: the queues of a region, because a target may stand in another one."""
        self._account = account
        self._region = region
        self._now = now
        self._sqs_of = sqs_of
        self._dice = random.Random(f"bus/{region}/{seed}")

    def publish(self, event: Envelope, bus: str = DEFAULT_BUS) -> None:
        """Gives an event to the targets of every rule that it matches."""
        given: Any = event  # moto's own type of it differs in words only
        for rule in list(self._moto_bus(bus).rules.values()):
            if _listens(rule) and rule.event_pattern.matches_event(given):
                for target in list(rule.targets):
                    self._hand(event, rule, target)

    def put_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """PutEvents. Raises ApiError."""
        entries = params["Entries"]
        if not 1 <= len(entries) <= ENTRIES_MAX:
            words = f"Member must have length less than or equal to {ENTRIES_MAX} and greater than or equal to 1"
            message = f"1 validation error detected: Value at 'entries' failed to satisfy constraint: {words}"
            raise ApiError("ValidationException", message)
        results = [self._put(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put(self, entry: Mapping[str, Any]) -> dict[str, str]:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                words = f"Parameter {name} is not valid. Reason: {name} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": words}
        detail = _json_object(entry["Detail"])
        if detail is None:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event = self._envelope(entry, detail)
        self.publish(event, str(entry.get("EventBusName") or DEFAULT_BUS).rpartition("/")[2])
        return {"EventId": event["id"]}

    def _envelope(self, entry: Mapping[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
        moment = entry.get("Time") or datetime.fromtimestamp(self._now(), UTC)
        return {
            "version": "0",
            "id": str(uuid.UUID(int=self._dice.getrandbits(128), version=4)),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": self._account,
            "time": write_time(moment)[:-5] + "Z",
            "region": self._region,
            "resources": list(entry.get("Resources") or ()),
            "detail": detail,
        }

    def _moto_bus(self, name: str) -> MotoBus:
        buses = get_backend("events")[self._account][self._region].event_buses
        if name not in buses:
            raise ApiError("ResourceNotFoundException", f"Event bus {name} does not exist.")
        return buses[name]

    def _hand(self, event: Envelope, rule: Rule, target: Mapping[str, Any]) -> None:
        parts = str(target["Arn"]).split(":")
        if parts[2:3] != ["sqs"]:
            _leave_to_moto(event, rule, target)
            return
        body = target_input(event, target, rule=rule.name, rule_arn=rule.arn)
        entry = {"MessageBody": body, "MessageGroupId": (target.get("SqsParameters") or {}).get("MessageGroupId")}
        region, name = parts[3], parts[-1]
        try:
            if not self._sqs_of(region).deliver(name, entry):
                _log.warning("rule %s: there is no queue %s; make it, or remove the target", rule.name, name)
        except ApiError as error:
            _log.warning("rule %s: queue %s did not take the event: %s", rule.name, name, error)


def _listens(rule: Rule) -> bool:
    """Enabled, and to events: a rule that has a schedule only has no pattern."""
    return rule.state != "DISABLED" and bool(rule.event_pattern.get_pattern())


def _leave_to_moto(event: Envelope, rule: Rule, target: Mapping[str, Any]) -> None:
    """Logs, archives and other buses; what moto does not know is said and passed over, as AWS drops what it cannot."""
    alone = copy.copy(rule)
    alone.targets = [dict(target)]
    seconds = datetime.fromisoformat(str(event["time"])).timestamp()
    given: Any = {**event, "time": seconds, "ingestion-time": seconds}
    try:
        alone.send_to_targets(given)
    except Exception:  # noqa: BLE001 - see below
        # moto raises all sorts of things here, and no target may hinder the others.
        _log.warning("rule %s: target %s cannot be served", rule.name, target.get("Arn"), exc_info=True)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        detail = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return detail if isinstance(detail, dict) else None
