"""What must be right before anything begins: the region, the state directory, the port; and events about nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from spotward.cli.exits import Exit
from tests.cli.program import COMMAND, RUN_SECONDS_MAX, Program
from tests.cli.scenery import BYSTANDER, Scenery

pytestmark = pytest.mark.slow  # each starts programs of its own


def test_an_unknown_region_is_told_with_the_nearest_that_there_is(spotward: Program) -> None:
    said = spotward("run", "--once", "--region", "eu-wst-1", code=Exit.USAGE).err
    assert "unknown region 'eu-wst-1'; did you mean eu-west-1" in said
    said = spotward("plan", "--region", "mars-*", code=Exit.USAGE).err
    assert "no region matches 'mars-*'; the account has " in said


def test_a_state_directory_that_cannot_be_made_is_named(spotward: Program, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = spotward("run", "--once", "--state", tmp_path / "file" / "state", code=Exit.USAGE).err
    assert f"the state directory {tmp_path}/file/state cannot be written (Not a directory)" in said
    assert "--state" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_state_directory_that_may_not_be_written_is_named(spotward: Program, tmp_path: Path) -> None:
    spotward.state.mkdir(mode=0o500)
    said = spotward("run", "--once", code=Exit.USAGE).err
    assert f"the state directory {spotward.state} cannot be written (Permission denied)" in said


def test_a_state_directory_that_another_daemon_has_is_left_to_it(scenery: Scenery, spotward: Program) -> None:
    with spotward.running("run", "--port", "0", "--log", "json") as daemon:
        scenery.until(lambda: daemon.says('"started"'))
        said = spotward("run", "--once", code=Exit.USAGE).err
        assert f"another Spotward (process {daemon.process.pid} on {socket.gethostname()}) is running" in said
        assert f"with the state directory {spotward.state}; stop it first" in said
        assert "nothing is under way" in spotward("status").out, "looking is always allowed"
        assert daemon.stop() == Exit.DONE


def test_a_port_that_is_taken_stops_the_start(spotward: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = spotward("run", "--port", port, code=Exit.USAGE).err
    assert f"web.port is {port}, and another program listens there on 127.0.0.1; set web.port to a free one" in said


def test_nothing_to_do_is_done_at_once_and_of_the_unknown_there_is_nothing_to_explain(spotward: Program) -> None:
    ran = spotward("run", "--once")
    assert ran.changes == []
    said = spotward("explain", "i-0123456789abcdef0", code=Exit.USAGE).err
    assert "has no page about 'i-0123456789abcdef0'; give an instance (i-…), a group" in said


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_run_whose_reader_has_gone_comes_to_its_end(scenery: Scenery, spotward: Program, style: str) -> None:
    web = scenery.group("web")
    command = [*COMMAND, "run", "--once", "--log", style]
    with subprocess.Popen(
        command, env=spotward.surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate(timeout=RUN_SECONDS_MAX)
    assert (process.returncode, said) == (Exit.DONE, "")
    assert scenery.on_demand(web) == []


def test_an_event_about_an_instance_that_is_no_more_changes_nothing(spotward: Program) -> None:
    ran = spotward("handle", "-", "--log", "text", stdin=notice("i-0123456789abcdef0"))
    assert "i-0123456789abcdef0: EC2 does not know it (any more): nothing to do" in ran.out
    assert ran.changes == []


def test_an_event_about_a_group_that_did_not_opt_in_changes_nothing(scenery: Scenery, spotward: Program) -> None:
    instance = scenery.on_demand(BYSTANDER)[0]
    ran = spotward("handle", "-", "--log", "text", stdin=notice(instance))
    assert f"{instance}: its group us-east-1/{BYSTANDER} is not opted in: tag it spotward:enabled=true" in ran.err
    assert ran.changes == []


def notice(instance_id: str) -> str:
    """EC2's interruption warning, as EventBridge writes it; without a time it happens now."""
    return json.dumps(
        {
            "version": "0",
            "detail-type": "EC2 Spot Instance Interruption Warning",
            "source": "aws.ec2",
            "region": "us-east-1",
            "detail": {"instance-id": instance_id, "instance-action": "terminate"},
        }
    )
