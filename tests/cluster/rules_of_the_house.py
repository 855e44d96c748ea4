"""Rules that a cluster's owner may have made, for as long as a block lasts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from spotward.kube.resources import Resource
from tests.cluster.stage import Stage

ADMISSION = "admissionregistration.k8s.io"
POLICIES = Resource(
    group=ADMISSION, version="v1", plural="validatingadmissionpolicies", kind="ValidatingAdmissionPolicy"
)
BINDINGS = Resource(
    group=ADMISSION, version="v1", plural="validatingadmissionpolicybindings", kind="ValidatingAdmissionPolicyBinding"
)
FAIRNESS = "flowcontrol.apiserver.k8s.io"
FLOWS = Resource(group=FAIRNESS, version="v1", plural="flowschemas", kind="FlowSchema")
LEVELS = Resource(group=FAIRNESS, version="v1", plural="prioritylevelconfigurations", kind="PriorityLevelConfiguration")


@asynccontextmanager
async def policy(stage: Stage, resource: str, operation: str, must_hold: str, message: str) -> AsyncIterator[None]:
    """A ValidatingAdmissionPolicy: `must_hold` is an expression in CEL."""
    name = stage.namespace
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": must_hold, "message": message}],
    }
    await stage.create(POLICIES, {"metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name, "validationActions": ["Deny"]}
    await stage.create(BINDINGS, {"metadata": {"name": name}, "spec": binding})
    try:
        yield
    finally:
        await stage.owner.answer("delete", BINDINGS, name=name)
        await stage.owner.answer("delete", POLICIES, name=name)


@asynccontextmanager
async def one_seat_for(stage: Stage, user: str) -> AsyncIterator[None]:
    """The API server's fairness leaves that user a single seat: of two requests at once, one is answered with 429."""
    name = stage.namespace
    limited = {
        "nominalConcurrencyShares": 0,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    await stage.create(LEVELS, {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}})
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    flow = {
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": 10,
        "rules": [{"subjects": [{"kind": "User", "user": {"name": user}}], "resourceRules": [everything]}],
    }
    await stage.create(FLOWS, {"metadata": {"name": name}, "spec": flow})
    try:
        yield
    finally:
        await stage.owner.answer("delete", FLOWS, name=name)
        await stage.owner.answer("delete", LEVELS, name=name)
