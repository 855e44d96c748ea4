"""What is on the wire is what proto/ says, and was said of old."""

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[3]
WIRE = HOUSE / "src/spotward/plugins/wire"
PROTOS = sorted((HOUSE / "proto/spotward/plugins/wire").glob("*.proto"))


def test_the_messages_are_made_from_proto(tmp_path: Path) -> None:
    made = tmp_path / "spotward/plugins/wire"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HOUSE / 'proto'}"]
    command += [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", *map(str, PROTOS)]
    subprocess.run(command, check=True, timeout=60)
    for file in sorted(made.iterdir()):
        assert (WIRE / file.name).read_text() == file.read_text(), f"{file.name} is old: make proto"
    assert {file.name for file in made.iterdir()} == {file.name for file in WIRE.glob("*_pb2.py*")}


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.stem)
def test_a_field_never_changes_its_number_within_a_version(proto: Path) -> None:
    """The numbers as they were published. A new field is added here; a changed line is another version."""
    from importlib import import_module

    module = import_module(f"spotward.plugins.wire.{proto.stem}_pb2")
    published = (Path(__file__).parent / "published.txt").read_text().splitlines()
    wanted = {line for line in published if line.startswith(f"{module.DESCRIPTOR.package}.")}
    assert wanted == {
        f"{field.full_name} = {field.number}"
        for message in module.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
    }
