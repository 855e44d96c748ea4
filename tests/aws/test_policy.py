"""The published IAM policy against the calls in the code, in both directions, and against its own documentation."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from spotward.aws.translation import POLICY_FILE, Call
from spotward.groups.policy import TAG_ENABLED, TAG_LAUNCH, TAG_OWNER_MAX, TAG_SUSPENDED
from tests.aws.conftest import Moto

CHECKOUT = Path(__file__).parents[2]
ROOM = CHECKOUT / "src" / "spotward" / "aws"
POLICY = json.loads((CHECKOUT / POLICY_FILE).read_text())
DOCUMENT = (CHECKOUT / "docs" / "reference" / "iam.md").read_text()

SIZE_MAX = 6144
"""A managed policy may have so many characters, white space not counted."""

ROW = re.compile(
    r"^\| `(?P<action>[a-z0-9-]+:\w+)` \| (?:called|implied by `(?P<by>[a-z0-9-]+:\w+)`) \| \S.*\|$", re.MULTILINE
)

ASKING = frozenset({"ask", "call", "pages", "poll"})
"""Functions that make a call of AWS."""

HANDED_ON = frozenset({"asking.py", "session.py"})
"""Modules that make calls which others have named."""

OF_EXPORTERS = frozenset({"census.py", "price_reader.py"})
"""Modules that the exporters alone use, which have a policy of their own."""

EXPORTERS_POLICY = json.loads((CHECKOUT / "deploy" / "iam-policy-exporters.json").read_text())

OF_FLOWS = frozenset({"reactions.py"})
"""Modules that steps of rules alone use, which have a policy of their own."""

FLOWS_POLICY = json.loads((CHECKOUT / "deploy" / "iam-policy-flows.json").read_text())

OF_METADATA = frozenset({"imds.py", "imds_watch.py"})
"""Modules that ask the instance's metadata service, which no IAM policy guards."""


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@cache
def services() -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_available_services())


def named_call(call: ast.Call) -> tuple[str, str] | None:
    """Service and operation, where two neighbouring arguments name them."""
    texts = [arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else "" for arg in call.args]
    return next(((left, right) for left, right in pairwise(texts) if left in services()), None)


def calls_in(path: Path) -> Iterator[ast.Call]:
    """Calls of anything that asks AWS."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ASKING:
                yield node


def iam_action(service: str, method: str) -> str:
    """The action that a call needs, worked out as error messages work it out. Fails for an operation that is none."""
    operations = {xform_name(name): name for name in model(service).operation_names}
    assert method in operations, f"{service} has no operation {method}"
    prefix = model(service).signing_name
    return Call(service=service, operation=operations[method], region="", iam_prefix=prefix).iam_action


def called() -> set[str]:
    return called_in(path for path in ROOM.glob("*.py") if path.name not in OF_EXPORTERS | OF_FLOWS)


def called_in(modules: Iterable[Path]) -> set[str]:
    found = [named_call(call) for path in modules for call in calls_in(path)]
    return {iam_action(*names) for names in found if names is not None}


def with_what_they_use(names: Iterable[str]) -> set[Path]:
    """Modules of the room, and those of it that they import, and so on."""
    found: set[Path] = set()
    new = {ROOM / name for name in names}
    while new:
        found |= new
        imported = {
            ROOM / f"{match}.py"
            for path in new
            for match in re.findall(r"spotward\.aws\.(\w+) import", path.read_text())
        }
        new = imported - found
    return found


def several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def statements() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = POLICY["Statement"]
    return found


def allowed() -> set[str]:
    return {action for statement in statements() for action in several(statement["Action"])}


def documented() -> dict[str, str | None]:
    """Action → the one that implies it, None for one that is called."""
    return {row["action"]: row["by"] for row in ROW.finditer(DOCUMENT)}


# ---- both ways -------------------------------------------------------------------------------------------------------


def test_every_call_in_the_code_is_allowed() -> None:
    assert called() - allowed() == set()


def test_everything_that_is_allowed_is_called_or_implied_by_a_call() -> None:
    implied = {action for action, by in documented().items() if by is not None}
    assert allowed() - called() == implied
    assert {by for by in documented().values() if by is not None} <= called()


def test_the_documentation_lists_the_very_same_actions_each_once() -> None:
    assert set(documented()) == allowed()
    assert len(ROW.findall(DOCUMENT)) == len(allowed())
    assert {action for action, by in documented().items() if by is None} == called()


def test_no_call_is_made_that_this_test_cannot_see() -> None:
    """Each call names service and operation literally, and boto3 is used nowhere but behind the one door."""
    unnamed = {path.name for path in ROOM.glob("*.py") for call in calls_in(path) if named_call(call) is None}
    assert unnamed <= HANDED_ON | OF_METADATA
    importing = {
        str(path.relative_to(ROOM.parent))
        for path in ROOM.parent.rglob("*.py")
        if re.search(r"^\s*(import|from) (boto3|botocore)\b", path.read_text(), re.MULTILINE)
    }
    outside = {name for name in importing if not name.startswith("emulator/")}
    assert outside <= {"aws/session.py", "aws/regions.py", "aws/translation.py"}


def test_a_call_that_is_not_allowed_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "fresh.py"
    module.write_text('async def f(aws):\n    await aws.call(region(), "ec2", "stop_instances", InstanceIds=[])\n')
    (call,) = calls_in(module)
    names = named_call(call)
    assert names == ("ec2", "stop_instances")
    assert iam_action(*names) == "ec2:StopInstances"
    assert iam_action(*names) not in allowed()


def test_the_exporters_policy_allows_what_they_call_and_nothing_else() -> None:
    (statement,) = EXPORTERS_POLICY["Statement"]
    assert set(statement["Action"]) == called_in(with_what_they_use(OF_EXPORTERS))
    assert all(re.search(r":(Describe|Get)", action) for action in statement["Action"])


def test_the_flows_policy_allows_what_steps_call_and_nothing_else() -> None:
    statements = FLOWS_POLICY["Statement"]
    assert {statement["Action"] for statement in statements} == called_in(ROOM / name for name in OF_FLOWS)
    assert all(statement["Resource"].startswith("arn:*:") for statement in statements)


def test_what_only_the_exporters_use_is_used_by_nobody_else() -> None:
    modules = {name.removesuffix(".py") for name in OF_EXPORTERS}
    using = {
        str(path.relative_to(ROOM.parent))
        for path in ROOM.parent.rglob("*.py")
        if set(re.findall(r"spotward\.aws\.(\w+) import", path.read_text())) & modules
    }
    assert using == {"cli/export_regions.py", "web/group_exposition.py", "web/price_exposition.py"}


# ---- its form --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [POLICY, EXPORTERS_POLICY, FLOWS_POLICY], ids=["daemon", "exporters", "flows"])
def test_iam_takes_it(moto: Moto, policy: dict[str, Any]) -> None:
    made = moto.client("iam").create_policy(PolicyName="spotward", PolicyDocument=json.dumps(policy))
    assert made["Policy"]["PolicyName"] == "spotward"
    assert len(json.dumps(policy, separators=(",", ":"))) <= SIZE_MAX


def test_it_names_every_action_in_full_and_holds_in_every_partition() -> None:
    assert not any("*" in action for action in allowed())
    assert len({statement["Sid"] for statement in statements()}) == len(statements())
    resources = [r for s in statements() for r in several(s["Resource"] if "Resource" in s else s["NotResource"])]
    assert all(resource == "*" or resource.startswith("arn:*:") for resource in resources)


def condition(statement: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = statement.get("Condition", {})
    return found


def with_action(action: str) -> list[dict[str, Any]]:
    return [statement for statement in statements() if action in several(statement["Action"])]


def test_what_is_allowed_everywhere_only_looks() -> None:
    everywhere = {a for s in statements() if s.get("Resource") == "*" for a in several(s["Action"])}
    assert all(re.search(r":(Describe|Get)", action) for action in everywhere)


HOOK_ANSWERS = {"autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"}
"""They change nothing of a group: its owner's hook waits for exactly this answer, and nothing happens without one."""

GROUP_DEEDS = sorted(a for a in allowed() if re.match(r"autoscaling:(?!Describe)", a) and a not in HOOK_ANSWERS)


@pytest.mark.parametrize("action", GROUP_DEEDS)
def test_a_group_that_did_not_opt_in_and_owes_us_nothing_cannot_be_changed(action: str) -> None:
    opted_in = {"StringEqualsIgnoreCase": {f"aws:ResourceTag/{TAG_ENABLED}": "true"}}
    owing = [{"Null": {f"aws:ResourceTag/{tag}": "false"}} for tag in (TAG_OWNER_MAX, TAG_SUSPENDED)]
    own_notes = {"ForAllValues:StringEquals": {"aws:TagKeys": [TAG_OWNER_MAX, TAG_SUSPENDED]}}
    for statement in with_action(action):
        assert condition(statement) in (opted_in, *owing, opted_in | own_notes, own_notes)
        if condition(statement) == own_notes:
            assert action == "autoscaling:DeleteTags"


def test_the_only_tags_that_may_be_written_on_a_group_are_our_notes() -> None:
    (statement,) = with_action("autoscaling:CreateOrUpdateTags")
    assert condition(statement)["ForAllValues:StringEquals"] == {"aws:TagKeys": [TAG_OWNER_MAX, TAG_SUSPENDED]}


def test_only_what_carries_a_launch_may_be_launched_and_ended() -> None:
    ours, new = f"aws:ResourceTag/{TAG_LAUNCH}", f"aws:RequestTag/{TAG_LAUNCH}"
    for action in ("ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"):
        assert [condition(s) for s in with_action(action)] == [{"Null": {ours: "false"}}]
    (copying,) = with_action("ec2:CreateLaunchTemplate")
    assert condition(copying) == {"Null": {new: "false"}}
    instances, others = with_action("ec2:RunInstances")
    assert condition(instances) == {"Null": {new: "false"}}
    assert others["NotResource"] == instances["Resource"]


def test_tags_are_written_only_while_something_is_made() -> None:
    (statement,) = with_action("ec2:CreateTags")
    assert set(condition(statement)["StringEquals"]) == {"ec2:CreateAction"}


def test_no_role_is_given_to_anything_but_instances() -> None:
    (passing,) = with_action("iam:PassRole")
    to = condition(passing)["StringEquals"]["iam:PassedToService"]
    assert all(service.startswith("ec2.amazonaws.com") for service in to)
    (linked,) = with_action("iam:CreateServiceLinkedRole")
    assert condition(linked) == {"StringLike": {"iam:AWSServiceName": "spot.amazonaws.com*"}}
