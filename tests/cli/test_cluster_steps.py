"""Which clusters steps may act in is the operator's to say, and a mistake in it is told at the start."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from spotward.cli.cluster_serving import acting_in
from spotward.cli.cluster_steps import cluster_steps
from spotward.config import Config, KubernetesSteps
from spotward.engine.clock import SystemClock
from spotward.engine.desk import Desk
from spotward.model.errors import ConfigError
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.sdk.call import Answer, Call, Happening, Status


def a_kubeconfig(folder: Path, name: str) -> dict[str, str]:
    """Of an API server that is away."""
    file = folder / name
    whole = {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": name, "user": {"token": "none"}}],
    }
    file.write_text(json.dumps(whole))
    return {"kubeconfig": str(file)}


def the_call(cluster: str) -> Call:
    event = Happening(id="e", source="test", type="t", data={"labels": {"cluster_name": cluster, "node": "n-1"}})
    return Call(key="k", event=event, properties={"action": "cordon"}, flow="flow", step="step", seconds_left=60.0)


def answered(settings: dict[str, Any], cluster: str, state: Path) -> Answer:
    async def one() -> Answer:
        wanted = KubernetesSteps.model_validate(settings)
        async with acting_in(wanted, state, NodesPolicy(), SystemClock()) as plugin:
            return await plugin.answer(the_call(cluster))

    return asyncio.run(one())


def test_a_server_of_its_own_acts_in_the_clusters_of_its_file_and_in_no_other(tmp_path: Path) -> None:
    clusters = {name: a_kubeconfig(tmp_path, name) for name in ("prod", "stage")}
    settings: dict[str, Any] = {"clusters": clusters, "home": "prod"}
    other = answered(settings, "../prod", tmp_path / "state")
    assert (other.status, other.text) == (Status.REFUSED, "no cluster is called '../prod'; there are prod, stage")
    assert sorted(path.name for path in (tmp_path / "state" / "clusters").iterdir()) == ["prod", "stage"]


def test_a_cluster_that_is_away_is_asked_again_later(tmp_path: Path) -> None:
    answer = answered({"clusters": {"prod": a_kubeconfig(tmp_path, "prod")}}, "", tmp_path / "state")
    assert answer.status is Status.FAILED
    assert answer.text.startswith("the nodes of the cluster prod were not seen yet")
    assert answer.retry_after_seconds > 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clusters": {"a": {}, "b": {}}}, "`kubernetes.home` is one of a, b"),
        ({"clusters": {"a": {}}, "home": "b"}, "none of `clusters`"),
    ],
)
def test_which_cluster_is_meant_must_be_plain(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        answered(settings, "", tmp_path)


@pytest.mark.parametrize(
    ("flows", "words"),
    [
        ({"home": "lab"}, "`flows.kubernetes.home` is 'lab'"),
        ({"clusters": {"prod": {}}}, "names 'prod', which is looked after already"),
    ],
)
def test_the_daemon_says_what_is_wrong_with_its_clusters(flows: dict[str, Any], words: str) -> None:
    config = Config.model_validate({"nodes": {"cluster": "prod"}, "flows": {"kubernetes": flows}})
    with pytest.raises(ConfigError, match=words):
        cluster_steps(config, SystemClock(), Desk())


@pytest.mark.parametrize("name", ["../prod", "a/b", "", "A"])
def test_a_clusters_name_is_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="lowercase"):
        KubernetesSteps.model_validate({"clusters": {name: {}}})


def test_without_a_cluster_that_is_looked_after_a_step_is_refused_in_words() -> None:
    steps = cluster_steps(Config(), SystemClock(), Desk())
    answer = asyncio.run(steps.plugin.answer(the_call("")))
    assert (answer.status, answer.text) == (Status.REFUSED, "no cluster is looked after; set kubernetes.enabled")
