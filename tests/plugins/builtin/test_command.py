"""exec: what is allowed is run within its limits, and nothing else is."""

import json
import os
import sys
from pathlib import Path

import pytest

from spotward.plugins.builtin.command import OUTPUT_BYTES_MAX, Command, Exec
from spotward.plugins.sdk import Answer, Happening, Status, done, failed, refused
from tests.emulator.clients import eventually
from tests.plugins.builtin.calls import HOT, called


def ran(code: str, *words: str, event: Happening = HOT, **limits: object) -> Answer:
    command = Command(command=(sys.executable, "-c", code.replace("$", "$$"), *words), **limits)  # type: ignore[arg-type]  # fields of a command
    return called(Exec({"it": command}), command="it", event=event)


def test_it_is_told_of_the_event_on_its_standard_input() -> None:
    answer = ran("import sys, json; print(json.load(sys.stdin)['event']['data']['labels']['instance'])")
    assert answer == done("it ended well", output="n-1")


def test_words_with_gaps_stay_one_word_whatever_fills_them() -> None:
    rude = Happening(id="e", source="s", type="t", data={"labels": {"instance": "a b; rm -rf / $(id) --x"}})
    answer = ran("import sys, json; print(json.dumps(sys.argv[1:]))", "$labels.instance", "end", event=rude)
    assert json.loads(answer.output["output"]) == ["a b; rm -rf / $(id) --x", "end"]


def test_it_sees_nothing_of_our_environment_but_what_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("WANTED", "yes")
    answer = ran(
        "import os, json; print(json.dumps(dict(os.environ)))", pass_on=("WANTED",), environment={"MINE": "too"}
    )
    seen = json.loads(answer.output["output"])
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    assert (seen["WANTED"], seen["MINE"], seen["SPOTWARD_KEY"]) == ("yes", "too", "flow-1/tell")
    assert "HOME" not in seen
    bare = called(Exec({"it": Command(command=("/usr/bin/env",))}), command="it").output["output"]
    names = {line.partition("=")[0] for line in bare.splitlines()}
    assert names == {"PATH", "SPOTWARD_KEY", "SPOTWARD_EVENT_TYPE", "SPOTWARD_ATTEMPT"}


def test_it_finds_its_limits_and_signals_as_a_shell_would_leave_them() -> None:
    shell = Command(command=("/bin/sh", "-c", "ulimit -n; ulimit -c; kill -PIPE $$$$; echo it lives"))
    assert called(Exec({"it": shell}), command="it") == failed("it ended with -13: 256\n0")


def test_a_code_is_a_failure_and_one_that_is_final_a_refusal() -> None:
    code = "import sys; print('no room'); sys.exit(4)"
    assert ran(code) == failed("it ended with 4: no room")
    assert ran(code, final=(4,)) == refused("it ended with 4: no room")


def test_it_is_killed_at_the_end_of_its_time_with_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"sleep 60 & echo $$! > {file}; wait"
    command = Command(command=("/bin/sh", "-c", script), seconds_max=3.0)
    assert called(Exec({"it": command}), command="it") == failed("it was killed: its 3 s are over")
    eventually(lambda: is_dead(int(file.read_text())))


def is_dead(pid: int) -> bool:
    """It is gone, or nobody has buried it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_what_it_prints_is_kept_from_its_end() -> None:
    answer = ran("print('x' * 100_000 + 'end')")
    assert answer.output["output"].endswith("end")
    assert len(answer.output["output"]) <= OUTPUT_BYTES_MAX


def test_it_gets_no_more_memory_than_its_limit() -> None:
    answer = ran("b = bytearray(2_000_000_000)", memory_mib_max=200)
    assert answer.status is Status.FAILED
    assert "MemoryError" in answer.text


def test_a_command_that_reads_nothing_and_ends_at_once_ends_well() -> None:
    big = Happening(id="e", source="s", type="t", data={"labels": {"x": "y" * 900_000}})
    assert ran("pass", event=big).status is Status.DONE


def test_what_is_not_allowed_is_refused_and_named() -> None:
    assert called(Exec({}), command="rm") == refused("command: `rm` is not allowed; allowed are: none")


def test_a_program_that_there_is_not_is_said() -> None:
    answer = called(Exec({"it": Command(command=("/nowhere/x",))}), command="it")
    assert answer == refused("it cannot be run: No such file or directory")


def test_a_file_that_is_no_program_is_said(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("hello")
    exec_ = Exec({"it": Command(command=(str(file),))})
    assert called(exec_, command="it") == refused("it cannot be run: Permission denied")
    file.chmod(0o700)
    assert called(exec_, command="it") == failed(f"it ended with 126: {file} cannot be run: Exec format error")


def test_a_folder_that_there_is_not_is_said() -> None:
    answer = called(Exec({"it": Command(command=("/bin/true",), folder=Path("/nowhere"))}), command="it")
    assert answer == refused("it cannot be run: No such file or directory")


def test_a_program_without_its_whole_path_is_not_configured() -> None:
    with pytest.raises(ValueError, match="needs the whole path"):
        Exec({"it": Command(command=("rm", "-rf"))})


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "made"
    exec_ = Exec({"it": Command(command=("/usr/bin/touch", os.fspath(file)))})
    assert called(exec_, dry_run=True, command="it") == done("would run it")
    assert not file.exists()
