"""`spotward imds` and `spotward export terminations` as their user starts them: processes of their own."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from spotward.cli.entry import LIGHT
from tests.imds.test_exporter import figures
from tests.ports import free_port

COMMAND = (sys.executable, "-m", "spotward")
EXAMPLES = Path(__file__).parents[2] / "examples" / "drills"
SECONDS = 90.0


@contextmanager
def running(*words: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def got(url: str) -> str:
    """A page, as soon as somebody serves it."""
    end = time.perf_counter() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, ConnectionError):
            assert time.perf_counter() < end, f"nobody serves {url}"
            time.sleep(0.05)


def tried(url: str) -> str | int:
    """A page, or the status of its absence."""
    try:
        return got(url)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def failed(*words: str) -> str:
    """What is said when the words cannot be."""
    ended = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_the_old_exporters_own_example_works_word_for_word_but_for_its_name() -> None:
    metadata, metrics = free_port(), free_port()
    with running("imds", "--port", str(metadata), "spot", "--action", "stop") as service:
        assert service.stdout is not None
        assert service.stdout.readline() == f"http://127.0.0.1:{metadata}/latest/meta-data/\n"
        flags = ("-bind-addr", f"127.0.0.1:{metrics}", "-metrics-path=/metrics", "-log-level", "debug")
        endpoint = ("--metadata-endpoint", f"http://localhost:{metadata}/latest/meta-data/")
        with running("export", "terminations", *flags, *endpoint) as exporter:
            found = figures(got(f"http://127.0.0.1:{metrics}/metrics"))
            imminent = (("instance_action", "stop"), ("instance_id", "i-1234567890abcdef0"))
            assert found["aws_instance_termination_imminent", imminent] == 1
            exporter.send_signal(signal.SIGTERM)
            _, log = exporter.communicate(timeout=SECONDS)
            assert exporter.returncode == 0
            lines = [json.loads(line) for line in log.splitlines()]
            assert lines[-1]["event"].startswith("stopping on SIGTERM")


ACTION, ADVICE = "spot/instance-action", "events/recommendations/rebalance"
EVENTS, STATE = "events/maintenance/scheduled", "autoscaling/target-lifecycle-state"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), {ACTION: "terminate", ADVICE: "noticeTime", EVENTS: "system-reboot", STATE: "Terminated"}),
        (("spot", "-t", "2027-01-01T00:00:00Z"), {ACTION: "2027-01-01T00:00:00Z", EVENTS: "[]", STATE: "InService"}),
        (("spot", "-r", "2026-01-01T00:00:00Z"), {ADVICE: "2026-01-01T00:00:00Z"}),
        (
            ("se", "-o", "instance-stop", "--state", "canceled", "-b", "1 Feb 2027 00:00:00 GMT"),
            {
                EVENTS: '"NotBefore": "1 Feb 2027 00:00:00 GMT", "Code": "instance-stop"',
                ACTION: None,
                STATE: "InService",
            },
        ),
        (("asg", "--instance-id", "i-0abc"), {STATE: "Terminated", "instance-id": "i-0abc", ACTION: None}),
        (("spot", "-d", "900"), {ADVICE: "noticeTime", ACTION: None}),
        (("spot", "--rebalance-delay-sec", "900"), {ADVICE: None, ACTION: "terminate"}),
        (
            ("--mock-trigger-time", "2099-01-01T00:00:00Z", "--asg-termination-delay-sec", "900"),
            {EVENTS: "[]", STATE: "InService", ACTION: None},
        ),
    ],
    ids=["all at once", "a deadline", "advice", "an event", "a group", "a delay", "advice later", "a trigger time"],
)
def test_what_the_known_mock_does_is_done_by_its_words(words: Sequence[str], said: dict[str, str | None]) -> None:
    """None: the document is absent."""
    port = free_port()
    with running("imds", "-p", str(port), *words):
        got(f"http://127.0.0.1:{port}/")
        for path, text in said.items():
            found = tried(f"http://127.0.0.1:{port}/latest/meta-data/{path}")
            assert found == 404 if text is None else text in str(found)


def test_a_script_is_followed_and_v2_alone_is_asked_for() -> None:
    port = free_port()
    with running("imds", "-p", str(port), "--imdsv2", "--script", str(EXAMPLES / "advice-then-notice.yaml")):
        assert tried(f"http://127.0.0.1:{port}/latest/meta-data/{ADVICE}") == 401


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("imds", "spots"), "what happens is 'spots'; give one of spot, events"),
        (("imds", "--action", "explode"), "--action is 'explode'; give one of terminate, stop, hibernate"),
        (("imds", "events", "--not-before", "soon"), "'soon' is no time; write it like 2026-11-22T14:05:09Z"),
        (("imds", "--instance-id", "web-1"), "'web-1' is no instance id"),
        (("imds", "--script", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("imds", "spot", "--script", "x.yaml"), "a script says all that happens"),
        (("imds", "--port", "many"), "invalid int value"),
        (("export",), "required: KIND"),
        (("export", "weather"), "invalid choice: 'weather'"),
        (("export", "terminations", "-bind-addr", "9189"), "give an address and a port as :9189"),
        (("export", "terminations", "-log-level", "loud"), "give one of debug, info, warn, error"),
        (("export", "terminations", "-metadata-endpoint", "169.254.169.254"), "give one like http://169.254.169.254"),
        (("export", "terminations", "--metrics-path", "metrics"), "must begin with a slash"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(words: Sequence[str], said: str) -> None:
    assert said in failed(*words)


def test_the_light_programs_stand_in_the_list_of_all_commands() -> None:
    helped = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=SECONDS, check=True)
    for name in LIGHT:
        assert f"\n  {name} " in helped.stdout


def test_the_light_programs_load_none_of_what_is_heavy() -> None:
    program = (
        "import sys; from spotward.cli import export, imds; import spotward.web.exporter, spotward.aws.imds_watch, "
        "spotward.emulator.imds.door, spotward.engine.clock, spotward.cli.entry; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"typer", "pydantic", "rich", "structlog", "boto3", "moto", "fastapi", "prometheus_client"}
    assert heavy & set(loaded) == set()


def test_an_agent_that_cannot_know_its_node_or_its_cluster_says_what_to_give(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    assert "--node-name" in failed("agent", *state)
    kubeconfig = tmp_path / "none"
    assert str(kubeconfig) in failed("agent", *state, "--node-name", "n-1", "--kubeconfig", str(kubeconfig))
    assert "poll_seconds" in failed("agent", *state, "--node-name", "n-1", "--poll-seconds", "0")
    assert "--bind-addr" in failed("agent", *state, "--node-name", "n-1", "--bind-addr", "nowhere")
