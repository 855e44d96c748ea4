"""The plan as a person reads it: what it says, and that it fits a terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from spotward.cli.plan import GroupPlan, MemberPlan, PlanDocument, PoolPlan
from spotward.cli.plan_table import show

POOLS = tuple(
    PoolPlan(instance_type=name, availability_zone="us-east-1a", price_per_hour=price)
    for name, price in (("m5n.xlarge", 0.0334), ("c5ad.xlarge", 0.036), ("m7i.xlarge", 0.0399))
)


def member(number: int, **fields: Any) -> MemberPlan:
    settings = {
        "instance_type": "c5.xlarge",
        "availability_zone": "us-east-1a",
        "lifecycle": "on-demand",
        "fate": "replace by Spot",
        "reason": "on demand above the base",
        "pools": POOLS,
        "price_per_hour_now": 0.17,
        "price_per_hour_then": 0.0334,
    }
    return MemberPlan(instance_id=f"i-{number:017x}", **settings | fields)


def kept(number: int, reason: str = "is Spot already") -> MemberPlan:
    return member(number, fate="keep", reason=reason, pools=(), price_per_hour_now=0.04, price_per_hour_then=0.04)


def group(*members: MemberPlan, **fields: Any) -> GroupPlan:
    sizes = {"min_size": 0, "max_size": 8, "desired_capacity": len(members), "on_demand_wanted": 0}
    return GroupPlan(
        **{"region": "us-east-1", "name": "web", "in_scope": True, "left_alone": None, "members": members}
        | sizes
        | fields
    )


def read(*groups: GroupPlan) -> list[str]:
    """The lines of the plan of these groups, on paper of 80 columns."""
    out = io.StringIO()
    document = PlanDocument(time="2026-11-22T14:05:09Z", regions=("us-east-1",), groups=groups, to_replace=0)
    show(document, Console(file=out, width=80, no_color=True))
    return out.getvalue().splitlines()


def test_members_stand_under_the_reason_that_they_share_those_to_be_replaced_first() -> None:
    assert read(group(kept(1), member(2), member(3, pools=POOLS[:1]))) == [
        "us-east-1/web: desired 3 (min 0, max 8), 0 to stay on demand",
        "    member               type       zone         USD/h    then  pool (+ others)",
        "  replace by Spot (on demand above the base)",
        "    i-00000000000000002  c5.xlarge  us-east-1a  0.1700  0.0334  m5n.xlarge (+2)",
        "    i-00000000000000003  c5.xlarge  us-east-1a  0.1700  0.0334  m5n.xlarge",
        "  keep (is Spot already)",
        "    i-00000000000000001  c5.xlarge  us-east-1a  0.0400",
        "",
        "2 members to replace: 0.3400 → 0.0668 USD/h, a saving of 80% or 199 USD a month",
    ]


def test_a_member_stands_on_one_line_however_long_its_names_are() -> None:
    where = {"instance_type": "u7i-12tb.224xlarge", "availability_zone": "us-west-2-lax-1a"}
    line = next(line for line in read(group(member(1, **where))) if "i-00000000000000001" in line)
    assert len(line) > 80
    assert line.endswith("m5n.xlarge (+2)")


def test_a_price_that_is_not_known_is_not_made_up() -> None:
    lines = read(group(member(1), member(2, price_per_hour_now=None, price_per_hour_then=None, pools=())))
    assert any(line.endswith("i-00000000000000002  c5.xlarge  us-east-1a       –       –") for line in lines)
    assert lines[-1].startswith("2 members to replace: 0.1700 → 0.0334 USD/h for the 1 with known prices, a saving")
    assert read(group(member(1, price_per_hour_now=None)))[-1] == "1 member to replace"


def test_what_costs_more_is_called_no_saving() -> None:
    back = member(1, fate="replace by on-demand", price_per_hour_now=0.04, price_per_hour_then=0.17, pools=())
    assert read(group(back))[-1] == "1 member to replace: 0.0400 → 0.1700 USD/h, more by 325% or 95 USD a month"


def test_a_group_that_is_left_alone_says_why_and_is_not_counted() -> None:
    lines = read(group(member(1), left_alone="an instance refresh runs [now]"))
    assert "  left alone: an instance refresh runs [now]" in lines
    assert lines[-1] == "nothing to do"


def test_nothing_to_do_says_why_where_that_may_be_a_surprise() -> None:
    assert read() == ["nothing to do: there is no Auto Scaling group in us-east-1"]
    stranger = group(in_scope=False, left_alone="not opted in", on_demand_wanted=None)
    assert read(stranger) == [
        "not in scope",
        "  us-east-1/web  not opted in",
        "",
        "nothing to do: no group in us-east-1 has opted in",
    ]
