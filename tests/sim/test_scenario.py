import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.model.errors import ConfigError
from spotward.sim.scenario import (
    SHOCKS_MAX,
    Failure,
    Interruption,
    PoolShock,
    QuotaShock,
    Scenario,
    Throttle,
    Vocabulary,
    parse_scenario,
)
from spotward.sim.shocks import MaintenanceWithdrawal, ScheduledMaintenance, SlowRequests, calls

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = sorted((CHECKOUT / "examples" / "scenarios").glob("*.yaml"))
NAMES = Vocabulary(
    operations={"ec2.CreateFleet", "ec2.DescribeImages", "autoscaling.AttachInstances"},
    instance_types={"m5.large", "m5.xlarge", "c5.large"},
    zones={"us-east-1a", "us-east-1b"},
)


def parsed(text: str) -> Scenario:
    return parse_scenario(text, file="s.yaml", vocabulary=NAMES)


def test_every_kind_of_shock_is_read() -> None:
    scenario = parsed("""
- {at: 60, until: 2m, pool: m5.large/us-east-1a,
   spot_capacity: 0, on_demand_capacity: 2, price_factor: 1.5, rebalance: true}
- {at: 1m5s, for: 10, region: eu-*, spot_vcpu_quota: 64}
- {at: 70, throttle: {operation: CreateFleet, for: 10}}
- {at: 71, for: 1h, throttle: {operation: "ec2.*"}}
- {at: 80, fail: {operation: ec2.DescribeImages, code: UnauthorizedOperation, message: no, times: 2}}
- {at: 90, interrupt: {pool: "m5.*/*", group: web, count: 3}}
- {at: 91, for: 9, maintenance: {code: system-reboot, group: web, count: 3, notice: 2h, lasts: 30m, page: 2}}
- {at: 92, maintenance: {code: instance-stop, pool: "m5.*/*", instance: i-0a*}}
- {at: 93, withdraw_maintenance: {group: w*}}
- {at: 94, until: 100, requests: {target_group: web, take: 4m}}
""")
    assert scenario.shocks == (
        PoolShock(
            at_seconds=60,
            until_seconds=120,
            pool="m5.large/us-east-1a",
            spot_capacity=0,
            on_demand_capacity=2,
            price_factor=1.5,
            rebalance=True,
        ),
        QuotaShock(at_seconds=65, until_seconds=75, region="eu-*", spot_vcpu_quota=64),
        Throttle(at_seconds=70, until_seconds=80, operation="CreateFleet"),
        Throttle(at_seconds=71, until_seconds=3671, operation="ec2.*"),
        Failure(at_seconds=80, operation="ec2.DescribeImages", code="UnauthorizedOperation", message="no", times=2),
        Interruption(at_seconds=90, pool="m5.*/*", group="web", count=3),
        ScheduledMaintenance(
            at_seconds=91,
            until_seconds=100,
            code="system-reboot",
            group="web",
            count=3,
            notice_seconds=7200,
            lasts_seconds=1800,
            page_size=2,
        ),
        ScheduledMaintenance(at_seconds=92, code="instance-stop", pool="m5.*/*", instance="i-0a*"),
        MaintenanceWithdrawal(at_seconds=93, group="w*"),
        SlowRequests(at_seconds=94, until_seconds=100, target_group="web", seconds=240),
    )


def test_shocks_are_put_in_order_of_time() -> None:
    text = "- {at: 2m, spot_vcpu_quota: 1}\n- {at: 90, spot_vcpu_quota: 2}\n- {at: 90s, spot_vcpu_quota: 3}\n"
    assert [(s.at_seconds, s.spot_vcpu_quota) for s in parsed(text).shocks if isinstance(s, QuotaShock)] == [
        (90, 2),
        (90, 3),
        (120, 1),
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "[]", "--- []\n"])
def test_an_empty_scenario_has_no_shocks(text: str) -> None:
    assert parsed(text).shocks == ()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("0", 0), ("90", 90), ("1.5", 1.5), ("90s", 90), ("1m30s", 90), ("1h 1m", 3660), ("2d", 172_800), ("0.5h", 1800)],
)
def test_a_time_is_seconds_or_has_units(written: str, seconds: float) -> None:
    assert parsed(f"- {{at: {written}, spot_vcpu_quota: 1}}").shocks[0].at_seconds == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at: 60\n", "s.yaml:1:1: a scenario must be a list, one entry behind each `-`, but here is a mapping"),
        ("- 60\n", "s.yaml:1:3: a shock must be a mapping like `{at: …}`, but here is `60`"),
        (
            "- {at: 60}\n",
            "s.yaml:1:3: this shock says nothing that happens; add one of pool, spot_vcpu_quota, throttle",
        ),
        ("\n- {spot_vcpu_quota: 1}\n", "s.yaml:2:3: this shock does not say when; add `at: 60`"),
        (
            "- {at: 60, pool: m5.large/us-east-1a}\n",
            "s.yaml:1:3: this shock does not say what happens to the pool; add",
        ),
        (
            "- {at: 1, pool: m5.large/us-east-1a,\n   spot_capcity: 0}\n",
            "s.yaml:2:4: unknown key `spot_capcity`; did you mean `spot_capacity`?",
        ),
        ("- {at: 1, at: 2, spot_vcpu_quota: 1}\n", "s.yaml:1:11: `at` stands here twice; keep one of them"),
        (
            "- {at: soon, spot_vcpu_quota: 1}\n",
            "s.yaml:1:8: `at` must be seconds or a time like 1m30s, but here is `soon`",
        ),
        ("- {at: -1, spot_vcpu_quota: 1}\n", "s.yaml:1:8: `at` must lie between 0 and"),
        (
            "- {at: [1], spot_vcpu_quota: 1}\n",
            "s.yaml:1:8: `at` must be seconds or a time like 1m30s, but here is a list",
        ),
        ("- {at: , spot_vcpu_quota: 1}\n", "`at` must be seconds or a time like 1m30s, but here is nothing"),
        (
            "- {at: 60, until: 1m, spot_vcpu_quota: 1}\n",
            "s.yaml:1:19: `until` is at 60 s, but the shock begins at 60 s",
        ),
        ("- {at: 60, until: 2m, for: 1m, spot_vcpu_quota: 1}\n", "s.yaml:1:3: `until` and `for` both say when this"),
        ("- {at: 60, for: 0, spot_vcpu_quota: 1}\n", "s.yaml:1:17: a shock `for` 0 s does nothing"),
        (
            "- {at: 60, for: 9, throttle: {operation: CreateFleet, for: 9}}\n",
            "s.yaml:1:3: `until` and `for` both say when this shock ends",
        ),
        ("- {at: 1, spot_vcpu_quota: many}\n", "s.yaml:1:28: `spot_vcpu_quota` must be a whole number, 0 or more, but"),
        ("- {at: 1, spot_vcpu_quota: 1.5}\n", "but here is `1.5`"),
        (
            "- {at: 1, pool: '*/*', spot_capacity: -1}\n",
            "s.yaml:1:39: `spot_capacity` must be a whole number, 0 or more",
        ),
        ("- {at: 1, pool: '*/*', price_factor: 0}\n", "s.yaml:1:38: `price_factor` must be a number above 0"),
        ("- {at: 1, pool: '*/*', price_factor: .inf}\n", "s.yaml:1:38: `price_factor` must be a number above 0"),
        ("- {at: 1, pool: '*/*', rebalance: maybe}\n", "s.yaml:1:35: `rebalance` must be true or false"),
        (
            "- {at: 1, pool: m5.large, spot_capacity: 0}\n",
            "s.yaml:1:17: `m5.large` is not a pool; write type/zone like",
        ),
        (
            "- {at: 1, pool: us-east-1a/m5.large, spot_capacity: 0}\n",
            "s.yaml:1:17: `us-east-1a` is not an instance type",
        ),
        (
            "- {at: 1, pool: m5.lagre/us-east-1a, spot_capacity: 0}\n",
            "s.yaml:1:17: unknown instance type `m5.lagre`; did you mean `m5.large`?",
        ),
        (
            "- {at: 1, pool: m5.large/us-east-1q, spot_capacity: 0}\n",
            "s.yaml:1:17: unknown availability zone `us-east-1q`; did you mean `us-east-1",
        ),
        ("- {at: 1, throttle: CreateFleet}\n", "s.yaml:1:21: `throttle` must be a mapping like `{operation: …}`"),
        ("- {at: 1, throttle: {for: 1}}\n", "s.yaml:1:21: this shock does not say which calls; add `operation: Creat"),
        (
            "- {at: 1, throttle: {operation: createfleet}}\n",
            "s.yaml:1:33: `createfleet` is not an operation; write it as",
        ),
        (
            "- {at: 1, throttle: {operation: CreateFlet}}\n",
            "s.yaml:1:33: unknown operation `CreateFlet`; did you mean `CreateFleet`?",
        ),
        (
            "- {at: 1, throttle: {operation: ec3.CreateFleet}}\n",
            "s.yaml:1:33: unknown operation `ec3.CreateFleet`; did you mean `ec2.CreateFleet`?",
        ),
        ("- {at: 1, fail: {operation: CreateFleet}}\n", "s.yaml:1:17: `fail` needs the `code` of AWS's error"),
        (
            "- {at: 1, fail: {operation: CreateFleet, code: X, times: 0}}\n",
            "s.yaml:1:58: `times` must be a whole number, 1",
        ),
        ("- {at: 1, interrupt: {}}\n", "s.yaml:1:22: `interrupt` does not say what; add one of pool, group, count"),
        ("- {at: 1, interrupt: {grup: web}}\n", "s.yaml:1:23: unknown key `grup`; did you mean `group`?"),
        (
            "- {at: 1, for: 3, interrupt: {count: 1}}\n",
            "s.yaml:1:16: an interruption happens at one moment; delete `for`",
        ),
        (
            "- {at: 1, maintenance: {group: web}}\n",
            "s.yaml:1:24: `maintenance` needs a `code`; add one of instance-reboot, system-reboot, system-maintenance",
        ),
        (
            "- {at: 1, maintenance: {code: instance-retirment}}\n",
            "s.yaml:1:31: unknown kind of maintenance `instance-retirment`; did you mean `instance-retirement`?",
        ),
        ("- {at: 1, requests: {}}\n", "s.yaml:1:21: `requests` does not say how long they take; add `take: 4m`"),
        (
            "- {at: 1, until: 3, withdraw_maintenance: {group: web}}\n",
            "s.yaml:1:18: maintenance is withdrawn at one moment; delete `until`",
        ),
        (
            "- {at: 1, spot_vcpu_quota: 3, price_factor: 2}\n",
            "s.yaml:1:45: `price_factor` cannot stand in one shock with `spot_vcpu_quota`; make it a shock of its own",
        ),
        ("- {at: 1, spot_vcpu_quota: 3\n", "s.yaml:2:1: this is not YAML: "),
        ("- {at: 1, pool: */*, spot_capacity: 0}\n", "s.yaml:1:17: this is not YAML: "),
        ("- at: 1\n\tpool: x\n", "s.yaml:2:1: this is not YAML: "),
        ("- a\n---\n- b\n", "s.yaml:2:1: this is not YAML: "),
        ("- \x07\n", "s.yaml: this is not YAML: "),
        ("[" * 800, "s.yaml: brackets are nested too deeply"),
        ("- {at: 0, interrupt: {count: 1}}\n" * (SHOCKS_MAX // 1000) + "- [", "s.yaml:11:4: this is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        parsed(text)
    assert message in str(told.value)


def test_without_a_vocabulary_names_go_unchecked() -> None:
    text = "- {at: 1, pool: m99.large/xx-new-1a, spot_capacity: 0}\n- {at: 1, throttle: {operation: DoSomethingNew}}\n"
    assert len(parse_scenario(text, file="s.yaml").shocks) == 2


KEYS = (
    "at until for pool m5.large/us-east-1a spot_capacity throttle fail interrupt operation CreateFleet code count 60 0"
)
MARKS = "{|}|[|]|:|: |, |- |&a |*a|\n|  "
WORDS = st.sampled_from(KEYS.split() + MARKS.split("|"))


@given(st.lists(WORDS, max_size=30).map("".join) | st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(ConfigError):
        parsed(text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_read(example: Path) -> None:
    assert parse_scenario(example.read_text(), file=example.name).shocks


def test_the_reference_shows_a_scenario_that_is_read_and_an_error_that_is_told() -> None:
    page = (CHECKOUT / "docs" / "reference" / "scenario.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert blocks
    for block in blocks:
        assert parse_scenario(block, file="scenario.md").shocks
    shown = re.search(r"```\n(scenario\.yaml:.*)\n```", page)
    assert shown
    with pytest.raises(ConfigError) as told:
        parse_scenario("#\n#\n- {at: 1, pool: 'm5.*/*', spot_capcity: 0}", file="scenario.yaml")
    assert str(told.value) == shown[1]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize(
    ("pattern", "means"),
    [
        *[(pattern, True) for pattern in ("CreateFleet", "ec2.CreateFleet", "ec2.*", "Create*", "*")],
        *[(pattern, False) for pattern in ("autoscaling.CreateFleet", "createFleet", "ec2.Describe*")],
    ],
)
def test_an_operation_is_named_with_or_without_its_service(pattern: str, means: bool) -> None:
    assert calls(pattern, "ec2", "CreateFleet") is means


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (PoolShock, {"pool": "*/*", "until_seconds": 1.0}),
        (PoolShock, {"pool": "*/*", "spot_capacity": -1}),
        (PoolShock, {"pool": "*/*", "price_factor": 0.0}),
        (QuotaShock, {"spot_vcpu_quota": -1}),
        (Failure, {"operation": "X", "code": "Y", "times": 0}),
        (Interruption, {"count": 0}),
    ],
)
def test_a_shock_made_in_code_checks_itself(kind: type, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot"):
        kind(at_seconds=1.0, **values)
