"""A journal that is to be in a cluster which cannot be found, or not be reached: said in words, and waited for."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.cli.exits import Exit
from tests.cli.program import Program
from tests.cli.scenery import Scenery

SETTINGS = "store: {kind: kubernetes, namespace: spotward}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "spotward.yaml"
    file.write_text(SETTINGS)
    return file


def nowhere(folder: Path) -> Path:
    """A kubeconfig of an API server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = f"http://127.0.0.1:{free.getsockname()[1]}"
    file = folder / "kubeconfig"
    content = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "c", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }
    file.write_text(json.dumps(content))
    return file


def in_cluster(program: Program, kubeconfig: Path | str) -> Program:
    return replace(program, environment={**program.environment, "KUBECONFIG": str(kubeconfig)})


def test_without_any_cluster_it_is_told_where_one_is_looked_for(alone: Program, settings: Path, tmp_path: Path) -> None:
    homeless = replace(alone, environment={"HOME": str(tmp_path)})
    said = homeless("status", "--config", settings, code=Exit.USAGE).err
    assert "no Kubernetes cluster is configured: KUBECONFIG is not set" in said


def test_a_kubeconfig_that_is_not_there_is_named(alone: Program, settings: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    said = in_cluster(alone, missing)("status", "--config", settings, code=Exit.USAGE).err
    assert f"there is no file {missing}; correct the path" in said


def test_an_api_server_that_cannot_be_reached_is_named(alone: Program, settings: Path, tmp_path: Path) -> None:
    said = in_cluster(alone, nowhere(tmp_path))("status", "--config", settings, code=Exit.OUTSIDE).err
    assert "the journal cannot be used now: the API server http://127.0.0.1:" in said
    assert "cannot be reached" in said


@pytest.mark.slow
def test_a_daemon_waits_for_an_api_server_that_cannot_be_reached_and_says_so(
    scenery: Scenery, spotward: Program, settings: Path, tmp_path: Path
) -> None:
    web = scenery.group(size=1, size_max=1)
    program = in_cluster(spotward, nowhere(tmp_path))
    with program.running("run", "--config", settings, "--port", "0", "--log", "json") as daemon:
        scenery.until(lambda: daemon.page("/readyz").status_code == 503 and daemon.page("/readyz").json()["standby"])
        (reason,) = daemon.page("/readyz").json()["reasons"]
        assert "this process stands by and cannot see who acts: the lease cannot be used now" in reason
        assert daemon.page("/healthz").status_code == 200
        assert "spotward_acting 0.0" in daemon.page("/metrics").text
        assert daemon.stop() == Exit.DONE
        assert "Traceback" not in daemon.said
    assert len(scenery.on_demand(web)) == 1
