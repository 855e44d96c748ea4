"""The emulator's own pages, under /_spotward/: what was called, what it cost, what time it is; and drills at run time.

They are no part of AWS: a test counts calls with them, a demonstration breaks things with them. Below
`/_spotward/imds/` every instance has its metadata service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from spotward.emulator import world
from spotward.emulator.calls import CallLog
from spotward.emulator.imds.cloud_machines import CloudMachines, MetadataDesk
from spotward.emulator.sites import Sites
from spotward.emulator.wire import Reply, Request
from spotward.engine.clock import ScaledClock
from spotward.http.values import Request as Asked
from spotward.model.errors import ConfigError, PayloadError
from spotward.sim.scenario import parse_scenario

PREFIX = "/_spotward/"

METADATA = PREFIX + "imds"
"""Behind it stands `/i-…/latest/…`."""

_INTERRUPT = frozenset({"region", "instance_ids", "pool", "group", "count"})


class Pages:
    """Answers what stands under `PREFIX`. Safe for threads."""

    def __init__(self, *, sites: Sites, calls: CallLog, clock: ScaledClock, on_change: Callable[[], None]) -> None:
        """`on_change`: told after a drill, for something may be due earlier than it was."""
        self._sites = sites
        self._calls = calls
        self._clock = clock
        self._on_change = on_change
        self._metadata = MetadataDesk(CloudMachines(lambda: sites.made().values()), clock.now)
        self._pages: Mapping[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "calls"): lambda _: calls.summary(),
            ("DELETE", "calls"): self._clear,
            ("GET", "clock"): self._time,
            ("GET", "usage"): self._usage,
            ("POST", "interrupt"): self._interrupt,
            ("POST", "shock"): self._shock,
        }

    def answer(self, request: Request) -> Reply:
        """The page, in JSON; what cannot be is told with the next step. Metadata as the service has it."""
        if request.path.startswith(METADATA + "/i-"):
            return self._of_an_instance(request)
        name = request.path.removeprefix(PREFIX)
        page = self._pages.get((request.method, name))
        if page is None:
            known = [f"{method} {PREFIX}{path}" for method, path in self._pages]
            return _json(404, {"error": f"there is no {request.method} {request.path[:100]}", "pages": known})
        try:
            return _json(200, page(request))
        except (ConfigError, PayloadError) as error:
            return _json(400, {"error": str(error)})

    def _of_an_instance(self, request: Request) -> Reply:
        asked = Asked(method=request.method, target=request.path.removeprefix(METADATA), headers=request.headers)
        answer = self._metadata.answer(asked)
        headers = dict(answer.headers)
        content_type = headers.pop("content-type", "text/plain")
        return Reply(status=answer.status, body=answer.body, content_type=content_type, headers=headers)

    def _clear(self, request: Request) -> dict[str, Any]:  # noqa: ARG002 - every page takes one
        self._calls.clear()
        return {}

    def _time(self, request: Request) -> dict[str, Any]:  # noqa: ARG002 - every page takes one
        clock = self._clock
        return {"now": clock.now(), "start": clock.start, "wall0": clock.wall0, "speed": clock.speed}

    def _usage(self, request: Request) -> dict[str, Any]:  # noqa: ARG002 - every page takes one
        readings = {region: site.usage() for region, site in self._sites.made().items()}
        return {
            region: {
                "time": usage.time,
                "uses": [
                    {
                        "group": group,
                        "lifecycle": lifecycle,
                        "instance_seconds": use.instance_seconds,
                        "cost": use.cost,
                    }
                    for (group, lifecycle), use in sorted(usage.uses.items())
                ],
                "shortfall_instance_seconds": dict(usage.shortfall_instance_seconds),
            }
            for region, usage in readings.items()
        }

    def _shock(self, request: Request) -> dict[str, Any]:
        """A shock as in a scenario file; without `at` it begins now."""
        given = {"at": max(0.0, self._clock.now() - self._clock.start), **_body(request)}
        scenario = parse_scenario(json.dumps([given]), file="shock")
        for shock in scenario.shocks:
            self._sites.shock(shock)
        self._on_change()
        return {"shocks": len(scenario.shocks), "at": given["at"]}

    def _interrupt(self, request: Request) -> dict[str, Any]:
        """Instances by id, or those of pools ("type/zone") and groups that match globs, at most `count`."""
        asked = _body(request)
        unknown = asked.keys() - _INTERRUPT
        if unknown or not asked.keys() & {"instance_ids", "pool", "group"}:
            raise PayloadError(f"give instance_ids, or pool, group and count; and region (got {sorted(asked)})")
        _check_chosen(asked)
        regions = [asked["region"]] if "region" in asked else sorted(self._sites.made())
        warned = {region: self._warned(region, asked) for region in regions}
        self._on_change()
        return {"interrupted": warned}

    def _warned(self, region: str, asked: Mapping[str, Any]) -> list[str]:
        if region not in world.REGIONS:
            raise PayloadError(f"there is no region `{region}`; name one such as us-east-1")
        site, ids = self._sites.site(region), asked.get("instance_ids")
        if ids is not None:
            return site.interrupt(ids)
        return site.interrupt_pool(
            pool=str(asked.get("pool", "*")), group=str(asked.get("group", "*")), count=asked.get("count")
        )


def _check_chosen(asked: Mapping[str, Any]) -> None:
    """Whatever the regions: a mistake is told also where there is nothing to interrupt."""
    ids, count = asked.get("instance_ids"), asked.get("count")
    if ids is not None and not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
        raise PayloadError("instance_ids must be a list of instance ids")
    if count is not None and (not isinstance(count, int) or count < 1):
        raise PayloadError("count must be a whole number of 1 or more; leave it out for all")


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise PayloadError("the body must be a JSON object")
    return body


def _json(status: int, content: Any) -> Reply:
    return Reply(status=status, body=json.dumps(content, indent=1).encode() + b"\n", content_type="application/json")
