"""What does not answer: a kubeconfig that points nowhere, a metadata service that hangs. It is said in clear words."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spotward.cli.exits import Exit
from tests.cli.program import Program, bare_environment
from tests.emulator.clients import eventually

SECONDS = 60.0


def nowhere(folder: Path) -> Path:
    """A kubeconfig whose API server is nobody."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    file = folder / "kubeconfig"
    content = {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me"}}],
    }
    file.write_text(json.dumps(content))
    return file


@contextmanager
def silent_door() -> Iterator[str]:
    """An address that takes every connection and never answers."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(64)
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


def test_a_kubeconfig_that_is_not_there_or_names_no_cluster_is_refused_with_what_to_give(
    alone: Program, tmp_path: Path
) -> None:
    settings = tmp_path / "spotward.yaml"
    missing = tmp_path / "missing"
    for file, words in ((missing, str(missing)), (tmp_path / "empty", "current-context")):
        settings.write_text(f"kubernetes: {{enabled: true, kubeconfig: {file}}}\n")
        (tmp_path / "empty").write_text("{}")
        said = alone("run", "--region", "us-east-1", "--config", settings, code=Exit.USAGE).err
        assert words in said


def test_an_agent_whose_metadata_service_hangs_and_whose_api_server_is_nobody_says_both_and_goes_on(
    tmp_path: Path,
) -> None:
    kubeconfig, log = nowhere(tmp_path), tmp_path / "log"
    with silent_door() as metadata, log.open("w") as output:
        words = ("--node-name", "n-1", "--kubeconfig", str(kubeconfig), "--metadata-endpoint", metadata)
        more = ("--state", str(tmp_path / "state"), "--bind-addr", "127.0.0.1:0", "--poll-seconds", "0.5")
        process = subprocess.Popen(
            [sys.executable, "-m", "spotward", "agent", *words, *more],
            env=bare_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: "cannot be had" in log.read_text(), seconds_max=SECONDS)
            eventually(lambda: "cannot be reached" in log.read_text(), seconds_max=SECONDS)
            assert str(kubeconfig) in log.read_text(), "which file named that server"
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in log.read_text()
    assert log.read_text().count("cannot be had") < 5, "it is told once and not at every poll"
