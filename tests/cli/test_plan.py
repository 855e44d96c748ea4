"""What would be done, without doing any of it."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from tests.cli.program import Program
from tests.cli.scenery import BYSTANDER, Scenery


def test_plan_says_of_every_member_what_becomes_of_it_and_changes_nothing(
    scenery: Scenery, spotward_here: Program
) -> None:
    web = scenery.group("web")
    based = scenery.group("based", tags={"spotward:on-demand-base": "1"})
    garbled = scenery.group("garbled", size=1, tags={"spotward:on-demand-base": "one"})
    before = scenery.fingerprints()

    ran = spotward_here("plan", "--output", "json")

    assert scenery.fingerprints() == before
    assert ran.changes == []
    Draft202012Validator(spotward_here("plan", "--schema").document).validate(ran.document)
    groups = {group["name"]: group for group in ran.document["groups"]}
    assert [member["fate"] for member in groups[web]["members"]] == ["replace by Spot"] * 2
    assert all(_is_saving(member) for member in groups[web]["members"])
    assert sorted(member["fate"] for member in groups[based]["members"]) == ["keep", "replace by Spot"]
    assert groups[based]["on_demand_wanted"] == 1
    assert "tag spotward:on-demand-base says 'one'" in groups[garbled]["left_alone"]
    assert groups[BYSTANDER]["in_scope"] is False
    assert groups[BYSTANDER]["members"] == []
    assert ran.document["to_replace"] == 3


def _is_saving(member: dict[str, Any]) -> bool:
    now, then = member["price_per_hour_now"], member["price_per_hour_then"]
    return bool(member["pools"]) and 0 < then < now and member["reason"] == "on demand above the base"


def test_a_dry_run_says_what_it_would_do_and_why_and_does_nothing(scenery: Scenery, spotward_here: Program) -> None:
    web = scenery.group("web")
    before = scenery.fingerprints()
    ran = spotward_here("run", "--once", "--dry-run")
    assert scenery.fingerprints() == before
    assert ran.changes == []
    assert "dry run: would launch 1 Spot" in ran.out
    assert f"us-east-1/{web}" in ran.out
    assert "on demand above the base" in ran.out
    assert not spotward_here.state.exists(), "what was not done stands in no journal"
