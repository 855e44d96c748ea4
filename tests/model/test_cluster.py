"""What a drain reads off nodes, pods and budgets agrees with what the API server does with them."""

import pytest

from spotward.model.cluster import (
    Budget,
    Claim,
    Condition,
    Node,
    Pod,
    PodOwner,
    Requirement,
    Selector,
    Taint,
    Toleration,
)

READY = (Condition(type="Ready", status="True"),)
NO_EXECUTE = Taint(key="spotward.io/interruption", value="spot", effect="NoExecute")


def pod(**facts: object) -> Pod:
    said = {"namespace": "shop", "name": "web-1", "uid": "u-1", "phase": "Running", "conditions": READY, **facts}
    return Pod(**said)  # type: ignore[arg-type]  # a test names only what it is about


def budget(**facts: object) -> Budget:
    said = {"namespace": "shop", "name": "web", "uid": "u-2", "selector": Selector(labels={"app": "web"}), **facts}
    return Budget(**said)  # type: ignore[arg-type]  # a test names only what it is about


@pytest.mark.parametrize(
    ("toleration", "covered"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(), False),
        (Toleration(key=NO_EXECUTE.key, operator="Exists"), True),
        (Toleration(key=NO_EXECUTE.key, operator="Exists", effect="NoSchedule"), False),
        (Toleration(key=NO_EXECUTE.key, operator="Exists", effect="NoExecute", seconds=60.0), True),
        (Toleration(key=NO_EXECUTE.key, value="spot"), True),
        (Toleration(key=NO_EXECUTE.key, operator="", value="spot"), True),
        (Toleration(key=NO_EXECUTE.key, value="other"), False),
        (Toleration(key="other", operator="Exists"), False),
        (Toleration(key=NO_EXECUTE.key, operator="Like", value="spot"), False),
    ],
)
def test_a_toleration_covers_a_taint_as_the_scheduler_says(toleration: Toleration, covered: bool) -> None:
    assert pod(tolerations=(toleration,)).tolerates(NO_EXECUTE) is covered


@pytest.mark.parametrize(
    ("operator", "theirs", "covered"),
    [("Lt", "5", True), ("Lt", "10", False), ("Gt", "11", True), ("Gt", "10", False), ("Gt", "many", False)],
)
def test_numeric_tolerations_compare_the_taint_with_their_own_value(operator: str, theirs: str, covered: bool) -> None:
    taint = Taint(key="risk", value=theirs, effect="NoSchedule")
    assert Toleration(key="risk", operator=operator, value="10").covers(taint) is covered


@pytest.mark.parametrize(
    ("requirement", "selected"),
    [
        (Requirement(key="app", operator="In", values=frozenset({"web"})), True),
        (Requirement(key="tier", operator="In", values=frozenset({"web"})), False),
        (Requirement(key="app", operator="NotIn", values=frozenset({"web"})), False),
        (Requirement(key="tier", operator="NotIn", values=frozenset({"web"})), True),
        (Requirement(key="app", operator="Exists"), True),
        (Requirement(key="app", operator="DoesNotExist"), False),
        (Requirement(key="app", operator="Near"), False),
    ],
)
def test_each_operator_of_a_selector(requirement: Requirement, selected: bool) -> None:
    assert Selector(requirements=(requirement,)).selects({"app": "web"}) is selected


def test_an_empty_selector_covers_the_namespace_and_a_missing_one_nothing() -> None:
    assert budget(selector=Selector()).covers(pod())
    assert not budget(selector=None).covers(pod())
    assert not budget(selector=Selector()).covers(pod(namespace="other"))


def test_a_budget_with_nothing_left_keeps_a_serving_pod() -> None:
    web = pod(labels={"app": "web"})
    assert not budget(disruptions_allowed=0).lets_go(web)
    assert budget(disruptions_allowed=1).lets_go(web)
    assert not budget(disruptions_allowed=1, observed=False).lets_go(web)


@pytest.mark.parametrize("facts", [{"phase": "Pending"}, {"phase": "Failed"}, {"deletion_time": 5.0}])
def test_pods_that_serve_nobody_pass_every_budget(facts: dict[str, object]) -> None:
    assert budget(disruptions_allowed=0).lets_go(pod(labels={"app": "web"}, **facts))


def test_a_pod_that_is_not_ready_passes_when_the_rest_is_healthy_or_the_owner_said_always() -> None:
    sick = pod(labels={"app": "web"}, conditions=())
    assert not budget(desired_healthy=2, current_healthy=1).lets_go(sick)
    assert budget(desired_healthy=2, current_healthy=2).lets_go(sick)
    assert not budget(desired_healthy=0, current_healthy=0).lets_go(sick)
    assert budget(desired_healthy=2, current_healthy=1, always_evict_unhealthy=True).lets_go(sick)


@pytest.mark.parametrize(
    ("provider_id", "instance_id"),
    [
        ("aws:///us-east-1a/i-0abc", "i-0abc"),
        ("aws:///us-east-1a/fargate-ip-10-0-0-1", None),
        ("kwok://n-1", None),
        ("", None),
    ],
)
def test_a_node_knows_its_instance_by_its_provider_id(provider_id: str, instance_id: str | None) -> None:
    assert Node(name="n-1", uid="u", provider_id=provider_id).instance_id == instance_id


def test_a_node_is_asked_for_a_taint_by_key_and_effect() -> None:
    node = Node(name="n-1", uid="u", taints=(NO_EXECUTE,))
    assert node.has_taint(NO_EXECUTE.key)
    assert node.has_taint(NO_EXECUTE.key, "NoExecute")
    assert not node.has_taint(NO_EXECUTE.key, "NoSchedule")


def test_what_a_pod_is() -> None:
    daemon = pod(owner=PodOwner(kind="DaemonSet", name="logs", uid="u-3"), priority=2_000_001_000)
    assert daemon.from_daemon_set
    assert daemon.critical
    assert daemon.id == "shop/web-1"
    assert pod(phase="Succeeded").finished
    assert not pod().from_daemon_set


@pytest.mark.parametrize(
    ("modes", "shared"),
    [({"ReadWriteOnce"}, False), ({"ReadWriteOncePod"}, False), ({"ReadWriteMany"}, True), (set[str](), False)],
)
def test_only_a_claim_of_one_node_keeps_others_waiting(modes: set[str], shared: bool) -> None:
    assert Claim(namespace="shop", name="data", uid="u", access_modes=frozenset(modes)).shared is shared
