"""What is published to be applied, as the API server itself judges it, and the rights in it beside the daemon's."""

from typing import Any

from ruamel.yaml import YAML

from spotward.kube.resources import Resource
from tests.cluster.stage import ROLES, Stage, on_stage

KINDS = {
    "ServiceAccount": Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount"),
    "ConfigMap": Resource(group="", version="v1", plural="configmaps", kind="ConfigMap"),
    "Service": Resource(group="", version="v1", plural="services", kind="Service"),
    "Deployment": Resource(group="apps", version="v1", plural="deployments", kind="Deployment"),
    "DaemonSet": Resource(group="apps", version="v1", plural="daemonsets", kind="DaemonSet"),
    "ClusterRole": Resource(group="rbac.authorization.k8s.io", version="v1", plural="clusterroles", kind="ClusterRole"),
    "ClusterRoleBinding": Resource(
        group="rbac.authorization.k8s.io", version="v1", plural="clusterrolebindings", kind="ClusterRoleBinding"
    ),
}


def documents(name: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all((ROLES.parent / name).read_text()))


def rights(name: str) -> set[str]:
    rules = [rule for document in documents(name) for rule in document.get("rules", ())]
    return {f"{verb} {resource}" for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


@on_stage
async def test_manifests_are_taken_as_they_stand(stage: Stage) -> None:
    for document in [*documents("agent.yaml"), *documents("exporters.yaml"), *documents("plugin-server.yaml")]:
        body = {**document, "metadata": {**document["metadata"]}}
        namespace = stage.namespace if body["metadata"].pop("namespace", None) else None
        await stage.owner.json(
            "create",
            KINDS[body["kind"]],
            namespace=namespace,
            body=body,
            query={"dryRun": "All", "fieldValidation": "Strict"},
        )


def test_the_agent_may_do_nothing_that_the_daemon_may_not_and_deletes_no_node() -> None:
    agent = rights("agent.yaml")
    assert agent < rights("clusterrole.yaml")
    assert "delete nodes" not in agent
