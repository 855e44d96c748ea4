"""A plugin of one's own, begun: the project works as it is written, and so does the example that it is made of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from spotward.cli.exits import Exit
from spotward.cli.plugin import LANGUAGES
from spotward.cli.plugin_new import template_of
from spotward.plugins.wire import cloudevents_pb2, plugin_pb2
from tests.cli.program import Program

RUFF = Path(sys.executable).with_name("ruff")


def ran(*words: str | Path, cwd: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(cwd)}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def begun(alone: Program, folder: Path, language: str) -> Path:
    project = folder / "tidy-up"
    said = alone("plugin", "new", "tidy-up", "--directory", project, "--language", language).out
    assert f"tidy-up is in {project}." in said
    return project


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_project_has_its_own_name_everywhere_and_a_rule_that_is_right(
    language: str, alone: Program, tmp_path: Path
) -> None:
    project = begun(alone, tmp_path, language)
    files = [file for file in project.rglob("*") if file.is_file()]
    assert {"README.md", "Dockerfile", "rules.yaml"} <= {file.name for file in files}
    for file in files:
        assert not re.search(r"say.?hello", f"{file} {file.read_text()}", re.IGNORECASE), file
    assert "right: 1 rule" in alone("rules", "check", project / "rules.yaml").out


def test_a_project_in_python_passes_its_own_tests_and_a_strict_linter(alone: Program, tmp_path: Path) -> None:
    project = begun(alone, tmp_path, "python")
    assert "4 passed" in ran(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    ran(RUFF, "check", "--isolated", "--select", "E,F,N,UP,B", "--line-length", "120", ".", cwd=project)
    help_ = ran(sys.executable, "tidy_up.py", "--help", cwd=project)
    assert "Greets the instance that an alert is about." in " ".join(help_.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_of_each_language_is_in_the_checkout(language: str) -> None:
    assert (template_of(language) / "README.md").is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Tidy Up", "give lowercase letters, digits and hyphens"),
        ("-x", None),
        ("a" * 41, "at most 40"),
        ("json", "`json` means something else already; give another name, such as json-plugin"),
        ("class", "`class` means something else already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(
    name: str, words: str | None, alone: Program, tmp_path: Path
) -> None:
    said = alone("plugin", "new", name, "--directory", tmp_path / "x", code=Exit.USAGE).err
    assert words is None or words in said
    assert not (tmp_path / "x").exists()


def test_what_is_there_already_is_left_alone(alone: Program, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    said = alone("plugin", "new", "tidy-up", "--directory", tmp_path, code=Exit.USAGE).err
    assert f"{tmp_path} is there already and not empty; give another with --directory" in said
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


# ---- the contract in Go ----------------------------------------------------------------------------------------------

GO_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def descriptor_in(go: Path) -> FileDescriptorProto:
    """What protoc wrote into a file of Go, of what the file was made of."""
    raw = go.read_text().partition("rawDesc = ")[2].partition("\n\n")[0]
    text = "".join(match[1] for match in GO_TEXT.finditer(raw))
    found = FileDescriptorProto.FromString(text.encode().decode("unicode_escape").encode("latin-1"))
    return _bare(found)


def _bare(file: FileDescriptorProto) -> FileDescriptorProto:
    """Without what only one of the compilers writes: how fields are called in JSON, and where the code goes."""
    for message in file.message_type:
        _nameless(message)
    file.ClearField("options")
    return file


def _nameless(message: DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
    for each in message.nested_type:
        _nameless(each)


@pytest.mark.parametrize(
    ("name", "ours"), [("plugin", plugin_pb2.DESCRIPTOR), ("cloudevents", cloudevents_pb2.DESCRIPTOR)]
)
def test_the_contract_in_go_is_made_of_our_proto(name: str, ours: FileDescriptor) -> None:
    expected = FileDescriptorProto.FromString(ours.serialized_pb)
    assert descriptor_in(template_of("go") / "wire" / f"{name}.pb.go") == _bare(expected)
