"""What a person sees who mistypes something: where, what is wrong, the next step, and an exit code for scripts.

No cloud is needed for any of it: the mistake is told before AWS is asked. One of them is told by a process of its own.
"""

from __future__ import annotations

import json
import socket
import sqlite3
from dataclasses import replace
from pathlib import Path

from spotward import __version__
from spotward.cli.exits import Exit
from spotward.engine.journal_file import APPLICATION_ID, FILE_NAME
from tests.cli.program import Program

SCENARIO = """\
- at: 10
  pool: m5.larg/us-east-1a
  spot_capacity: 0
"""


def test_a_mistake_in_the_configuration_is_told_with_its_place(alone: Program, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("regions: [eu-west-1]\nobserve_second: 5\n")
    said = alone("run", "--once", "--config", file, code=Exit.USAGE).err
    assert "bad.yaml:2:1: unknown setting `observe_second`; did you mean `observe_seconds`?" in said
    file.write_text("regions: [eu-west-1")
    assert "bad.yaml:1:20: this is not YAML" in alone("config", "check", file, code=Exit.USAGE).err
    file.write_text("observe_seconds: 30\n")
    assert alone("config", "check", file).out == f"{file}: right\n"


def test_a_configuration_that_is_not_there_is_named(alone: Program) -> None:
    apart = replace(alone, apart=True)
    said = apart("plan", "--config", "nowhere.yaml", code=Exit.USAGE).err
    assert "nowhere.yaml: cannot be read" in said
    assert "give the path of a YAML file" in said


def test_a_price_list_that_cannot_be_read_is_told_with_its_place(alone: Program, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    words = ("plan", "--region", "us-east-1", "--on-demand-prices", file)
    said = alone(*words, code=Exit.USAGE).err
    assert "prices.json: cannot be read: No such file or directory; give a JSON file" in said
    file.write_text('{"us-east-1": {\n  "m5.large": "cheap"}}')
    said = alone(*words, code=Exit.USAGE).err
    assert 'prices.json:2:3: the price of m5.large is "cheap"; give a price per hour such as 0.096' in said


def test_an_event_that_is_not_json_is_quoted_with_what_to_send(alone: Program) -> None:
    said = alone("handle", "-", stdin="the instance is going!", code=Exit.USAGE).err
    assert "the text is not JSON" in said
    assert "'the instance is going!'" in said
    assert "send the event as EventBridge writes it" in said


def test_an_event_file_that_is_missing_or_not_text_is_named(alone: Program, tmp_path: Path) -> None:
    assert (
        "nowhere.json: cannot be read (No such file or directory)"
        in alone("handle", "nowhere.json", code=Exit.USAGE).err
    )
    binary = tmp_path / "event.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "event.bin is not UTF-8 text" in alone("handle", binary, code=Exit.USAGE).err


def test_an_event_of_no_use_is_said_to_be_and_no_failure(alone: Program) -> None:
    event = {"detail-type": "EC2 AMI State Change", "source": "aws.ec2", "region": "us-east-1", "detail": {}}
    ran = alone("handle", "-", stdin=json.dumps(event))
    assert "not for Spotward: not a kind of event that Spotward acts on" in ran.err


def test_an_output_format_or_log_style_that_there_is_not_is_told_with_those_that_there_are(alone: Program) -> None:
    said = alone("plan", "--region", "us-east-1", "--output", "xml", code=Exit.USAGE).err
    assert "--output is 'xml'; give `table` or `json`" in said
    said = alone("run", "--region", "us-east-1", "--log", "xml", code=Exit.USAGE).err
    assert "--log is 'xml'; give `text`, `json` or `auto`" in said


def test_an_option_or_a_command_that_there_is_not_is_told_with_where_to_look(alone: Program) -> None:
    said = alone("plan", "--regoin", "us-east-1", code=Exit.USAGE).err
    assert "No such option: --regoin" in said
    assert "spotward plan -h" in said
    assert "No such command 'pln'" in alone("pln", code=Exit.USAGE).err
    assert alone("--version").out == f"spotward {__version__}\n"


def test_without_any_region_it_asks_for_one_instead_of_guessing(alone: Program) -> None:
    said = alone("plan", code=Exit.USAGE).err
    assert "no region is set; give --region" in said


def test_without_credentials_it_says_how_to_give_some(alone: Program) -> None:
    environment = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1"}
    program = Program(environment=environment, state=alone.state, access_key=False, apart=False)
    said = program("plan", code=Exit.OUTSIDE).err
    assert "no AWS credentials were found" in said
    assert "aws configure" in said


# ---- the journal -----------------------------------------------------------------------------------------------------


def test_without_a_journal_there_is_nothing_to_tell(alone: Program) -> None:
    said = alone("status", code=Exit.USAGE).err
    assert f"there is no journal in the state directory {alone.state}" in said
    assert "name the right directory with --state" in said


def test_a_journal_of_a_newer_version_is_left_as_it_is(alone: Program) -> None:
    alone.state.mkdir()
    file = alone.state / FILE_NAME
    with sqlite3.connect(file) as connection:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99; CREATE TABLE a (b);"
        )
    before = file.read_bytes()
    said = alone("status", code=Exit.USAGE).err
    assert "was written by a newer version of Spotward (format 99;" in said
    assert file.read_bytes() == before


def test_a_file_that_is_no_journal_is_left_as_it_is(alone: Program) -> None:
    alone.state.mkdir()
    file = alone.state / FILE_NAME
    file.write_text("my diary " * 1000)
    said = alone("status", code=Exit.USAGE).err
    assert f"{file} cannot be used as a journal" in said
    assert file.read_text().startswith("my diary")


# ---- the embedded cloud ----------------------------------------------------------------------------------------------


def test_a_scenario_that_cannot_be_read_is_told_with_its_place(alone: Program, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    said = alone("emulate", "--scenario", file, code=Exit.USAGE).err
    assert "scenario.yaml:2:9: unknown instance type `m5.larg`; did you mean `m5.large`?" in said


def test_spot_prices_that_cannot_be_replayed_are_told_with_their_place(alone: Program, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("a,b\n1,2\n")
    said = alone("emulate", "--prices", file, code=Exit.USAGE).err
    assert "prices.csv:1: the column timestamp" in said


def test_a_port_that_is_taken_is_named(alone: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = alone("emulate", "--port", port, code=Exit.USAGE).err
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "choose another --host or --port" in said
