"""The program in place of the Node Termination Handler: what counts, what is told, and what stops the start."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.cli.exits import Exit
from spotward.cli.nth import heard
from spotward.cli.nth_asked import asked
from spotward.compat.nth import set_apart
from spotward.compat.nth_options import BY_ENV
from spotward.compat.option import Program as Ours
from spotward.config import load
from spotward.model.errors import ConfigError
from tests.cli.program import Program

QUEUE = {"ENABLE_SQS_TERMINATION_DRAINING": "true", "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/nth"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One that says nothing."""
    for name in (*BY_ENV, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def said(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)


def file_of(folder: Path, text: str) -> Path:
    file = folder / "spotward.yaml"
    file.write_text(text)
    return file


# ---- what counts ---------------------------------------------------------------------------------------------------


def test_our_own_setting_counts_before_a_flag_a_flag_before_a_variable_and_conflicts_are_told(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said(environment, **QUEUE, WORKERS="3", TAINT_NODE="true", IGNORE_DAEMON_SETS="false", POD_NAME="p")
    file = file_of(tmp_path, "nodes: {voluntary_drains_at_once_max: 7, own_pod: p}")
    found = heard(file, Ours.RUN, ["--taint-node=false"])
    assert found.config.nodes.voluntary_drains_at_once_max == 7
    assert found.config.nodes.taint is False
    assert found.config.nodes.daemon_sets is True
    assert found.config.nodes.pods_at_once_max == load(None).nodes.pods_at_once_max
    told = {each.name: each.words for each in found.telling if "counts" in each.words}
    assert told.keys() == {"WORKERS", "TAINT_NODE"}
    assert told["WORKERS"].startswith("the configuration says otherwise of `nodes.voluntary_drains_at_once_max`")
    assert told["TAINT_NODE"].startswith("`--taint-node` says otherwise")


def test_only_what_differs_is_worth_a_line_of_the_log(environment: pytest.MonkeyPatch) -> None:
    usual = {
        "METADATA_TRIES": "3",
        "LOG_FORMAT_VERSION": "1",
        "WORKERS": "10",
        "POD_NAME": "p",
        "TAINT_EFFECT": "NoSchedule",
    }
    said(environment, **usual, USE_APISERVER_CACHE="true")
    assert [each.name for each in heard(None, Ours.AGENT).telling] == ["POD_NAME", "USE_APISERVER_CACHE"]


def test_all_that_cannot_be_done_stops_the_start_at_once(environment: pytest.MonkeyPatch) -> None:
    said(environment, UPTIME_FROM_FILE="x", TAINT_EFFECT="NoExecute", DRY_RUN="maybe")
    with pytest.raises(ConfigError) as caught:
        heard(None, Ours.AGENT, ["--taint-nodes"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert "did you mean --taint-node?" in str(caught.value)


def test_the_files_own_secret_file_counts_more_than_the_address_of_a_variable(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said(environment, WEBHOOK_URL="https://example.com/s3cret")
    found = heard(file_of(tmp_path, "webhook: {url_file: /run/hook}"), Ours.AGENT)
    assert found.config.webhook.url is None
    assert any("counts" in each.words for each in found.telling)
    assert "s3cret" not in "".join(each.text for each in found.findings)
    assert heard(None, Ours.AGENT).config.webhook.url == "https://example.com/s3cret"


def test_a_mistake_in_the_file_is_told_with_its_place_all_the_same(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said(environment, WORKERS="3")
    with pytest.raises(ConfigError, match=r"spotward\.yaml:1:9: unknown setting `nodes.taints`; did you mean `taint`"):
        heard(file_of(tmp_path, "nodes: {taints: 1}"), Ours.AGENT)


def test_the_queue_mode_needs_a_queue_from_either(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said(environment, ENABLE_SQS_TERMINATION_DRAINING="true")
    with pytest.raises(ConfigError, match="give QUEUE_URL"):
        heard(None, Ours.RUN)
    assert heard(file_of(tmp_path, "queue: spotward"), Ours.RUN).config.kubernetes.enabled


def test_variables_for_others_are_set_unless_they_are(environment: pytest.MonkeyPatch) -> None:
    said(environment, AWS_ENDPOINT="http://127.0.0.1:4566", KUBERNETES_SERVICE_HOST="10.0.0.1")
    found = heard(None, Ours.RUN, ["--kubernetes-service-host=10.9.9.9"])
    assert found.environment == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "KUBERNETES_SERVICE_HOST": "10.9.9.9",
    }
    said(environment, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    found = heard(None, Ours.RUN)
    assert found.environment == {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert [each.name for each in found.findings if "than AWS_ENDPOINT," in each.words] == ["AWS_ENDPOINT_URL"]


# ---- the command line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        ("--node-name n --workers 5 --v1", "--node-name n --v1", "--workers 5"),
        ("-node-name=n -taint-node --dry-run=true", "--node-name=n --dry-run", "-taint-node"),
        ("--dry-run=false --workers=5", "", "--workers=5"),
        ("--pod-termination-grace-period -1 --poll-seconds 1", "--poll-seconds 1", "--pod-termination-grace-period -1"),
        ("--unknown --workers", "--unknown", "--workers"),
    ],
)
def test_their_words_are_set_apart_and_what_both_have_is_ours(words: str, ours: str, theirs: str) -> None:
    assert set_apart(words.split(), Ours.AGENT) == (ours.split(), theirs.split())


def test_it_is_asked_for_by_an_option_or_a_variable() -> None:
    assert asked(["--compat-nth"], {})
    assert asked([], {"SPOTWARD_COMPAT_NTH": "true"})
    assert asked([], {"SPOTWARD_COMPAT_NTH": "Yes"})
    assert not asked(["--once"], {"SPOTWARD_COMPAT_NTH": "false", "TAINT_NODE": "true"})


def test_a_variable_that_says_neither_yes_nor_no_is_told(alone: Program) -> None:
    unclear = replace(alone, environment={"SPOTWARD_COMPAT_NTH": "perhaps"})
    for words in (("run", "--once"), ("agent", "--node-name", "n")):
        assert "SPOTWARD_COMPAT_NTH is 'perhaps'; give true or false" in unclear(*words, code=Exit.USAGE).err


def test_run_in_its_place_tells_what_stops_it(alone: Program, environment: pytest.MonkeyPatch) -> None:
    said(environment, **QUEUE, TAINT_EFFECT="NoExecute", GRACE_PERIOD="0")
    told = alone("run", "--once", "--compat-nth", "--workers=none", "--cordon-onl", code=Exit.USAGE).err
    assert "--cordon-onl" in told, "a word that is nobody's stops it before anything is read"
    told = alone("run", "--once", "--compat-nth", "--workers=none", code=Exit.USAGE).err
    assert "`--workers` is wrong: 'none' cannot be read; give a whole number from 1 up" in told
    assert "`TAINT_EFFECT` is refused: it would take every pod at once" in told
    assert "`GRACE_PERIOD` is wrong: '0' cannot be read" in told


def test_without_being_asked_run_knows_none_of_its_options(alone: Program, environment: pytest.MonkeyPatch) -> None:
    said(environment, **QUEUE, TAINT_EFFECT="NoExecute")
    told = alone("run", "--once", "--taint-node", code=Exit.USAGE).err
    assert "No such option" in told
    assert "TAINT_EFFECT" not in told


# ---- the chart -----------------------------------------------------------------------------------------------------


def test_values_are_converted_into_what_the_check_takes(alone: Program, tmp_path: Path) -> None:
    values, made = tmp_path / "values.yaml", tmp_path / "spotward.yaml"
    values.write_text("taintNode: true\ncordonOnly: true\n")
    assert alone("convert", "nth", values, "-o", made).said.strip() == ""
    assert alone("config", "check", made).out == f"{made}: right\n"
    assert load(made).nodes.nth_marks
    assert (
        alone("convert", "nth", "-", stdin=values.read_text()).out.splitlines()[1:]
        == (made.read_text().splitlines()[1:])
    )


def test_what_is_refused_is_told_all_at_once_and_nothing_is_written_without_force(
    alone: Program, tmp_path: Path
) -> None:
    values, made = tmp_path / "values.yaml", tmp_path / "spotward.yaml"
    values.write_text("procUptimeFile: x\ncordononly: true\ntaintNode: true\n")
    told = alone("convert", "nth", values, "-o", made, code=Exit.USAGE)
    assert f"{values}:1:1: `procUptimeFile` is refused" in told.err
    assert f"{values}:2:1: `cordononly` is wrong: the chart has no such value; did you mean `cordonOnly`?" in told.err
    assert "2 not carried over; nothing is written" in told.err
    assert not made.exists()
    forced = alone("convert", "nth", values, "-o", made, "--force")
    assert "`procUptimeFile` is refused" in forced.err
    assert load(made).nodes.nth_marks


def test_the_report_is_printed_also_where_something_is_refused(alone: Program, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("procUptimeFile: x\n")
    report = json.loads(alone("convert", "nth", values, "--output", "json", code=Exit.USAGE).out)
    assert report["bad"] == 1
    assert report["findings"][0]["line"] == 1


def test_what_cannot_be_read_or_written_is_told(alone: Program, tmp_path: Path) -> None:
    assert "which values?" in alone("convert", "nth", code=Exit.USAGE).err
    assert "give the path of a YAML file" in alone("convert", "nth", "nowhere.yaml", code=Exit.USAGE).err
    assert "give `yaml` or `json`" in alone("convert", "nth", "x", "--output", "xml", code=Exit.USAGE).err
    assert "give another with -o" in alone("convert", "nth", "-", "-o", tmp_path, stdin="", code=Exit.USAGE).err
    assert "| `dry-run` | `DRY_RUN` |" in alone("convert", "nth", "--list").out


def test_nothing_of_it_is_loaded_where_it_is_not_asked_for() -> None:
    code = (
        "import sys; sys.argv[1:] = ['agent', '--help']\n"
        "from spotward.cli.entry import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import spotward.cli.agent_settings, spotward.cli.agent_wire\n"
        "print([name for name in sys.modules if name.startswith('spotward.compat')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
