"""Programs that know nothing of ours: grpcurl, and code made from the old .proto texts as their authors made it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spotward.engine.clock import SystemClock
from spotward.plugins.host.host import Host
from spotward.plugins.host.settings import PluginSettings, Speaks
from spotward.plugins.sdk import Answer, Call, Happening, done, failed, plugin, refused
from spotward.plugins.sdk.doors import FIRST, OWN, SECOND
from spotward.plugins.sdk.safety import Safety
from tests.plugins.sdk.served import in_a_loop, serving

TOKEN = "0123456789abcdef-one"
GRPCURL = Path(sys.executable).with_name("grpcurl")

FIRST_PROTO = """
syntax = "proto3";
option java_multiple_files = true;
option java_package = "com.banzaicloud.hollowtrees.action";
option java_outer_classname = "ActionProto";
package action;
service Action { rpc HandleAlert (AlertEvent) returns (ActionResult) {} }
message AlertEvent { string eventId = 1; string eventType = 2; Resource resource = 3; map<string,string> data = 4; }
message Resource { string resourceType = 1; string resourceId = 2; }
message ActionResult { string status = 1; }
"""

SECOND_PROTO = """
syntax = "proto3";
option java_multiple_files = true;
option java_package = "com.banzaicloud.hollowtrees.handleEvent";
option java_outer_classname = "HandleEventProto";
package proto;
service EventHandler { rpc Handle (CloudEvent) returns (Result) {} }
message CloudEvent {
    string specversion = 1; string type = 2; string source = 3; string id = 4; string time = 5; string schemaurl = 6;
    string contenttype = 7; bytes data = 8; map<string, string> extensions = 9;
}
message Result { string status = 1; }
"""

CLIENT = """
import sys, grpc, old_pb2 as m, old_pb2_grpc as g
channel = grpc.insecure_channel(sys.argv[1])
try:
    if hasattr(m, "AlertEvent"):
        event = m.AlertEvent(eventId=sys.argv[2], eventType=sys.argv[2], data={"instance_id": "i-1"})
        print(g.ActionStub(channel).HandleAlert(event, timeout=20).status)
    else:
        event = m.CloudEvent(id=sys.argv[2], type=sys.argv[2], source="p", extensions={"instance_id": "i-1"})
        print(g.EventHandlerStub(channel).Handle(event, timeout=20).status)
except grpc.RpcError as error:
    print(error.code().name, error.details())
"""

SERVER = """
import sys, concurrent.futures, grpc, old_pb2 as m, old_pb2_grpc as g
def told(event, labels, kind, context, answer):
    print(kind, dict(labels), flush=True)
    if kind.endswith("Broken"):
        context.abort(grpc.StatusCode.UNKNOWN, "no such group")
    return answer(status="ok")
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
if hasattr(m, "AlertEvent"):
    class Plugin(g.ActionServicer):
        def HandleAlert(self, event, context):
            return told(event, event.data, event.eventType, context, m.ActionResult)
    g.add_ActionServicer_to_server(Plugin(), server)
else:
    class Plugin(g.EventHandlerServicer):
        def Handle(self, event, context):
            return told(event, event.extensions, event.type, context, m.Result)
    g.add_EventHandlerServicer_to_server(Plugin(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"""

GENERATIONS = [
    pytest.param(FIRST_PROTO, Speaks.HOLLOWTREES_V1, id="first generation"),
    pytest.param(SECOND_PROTO, Speaks.HOLLOWTREES_V2, id="second generation"),
]


@plugin(name="swap", event_types=["prometheus.server.alert.*"])
async def swap(call: Call) -> Answer:
    """Swaps."""
    return refused("not this one") if call.event.type.endswith("Broken") else done(f"{call.event.labels}")


def made_from(proto: str, folder: Path) -> Path:
    """What an author has: the code that the compiler makes of the text, and a program that uses it."""
    (folder / "old.proto").write_text(proto)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}"]
    subprocess.run([*command, f"--python_out={folder}", f"--grpc_python_out={folder}", "old.proto"], check=True)
    (folder / "client.py").write_text(CLIENT)
    (folder / "server.py").write_text(SERVER)
    return folder


def ran(*words: str, timeout: float = 60) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=timeout).stdout.strip()


async def called(*words: str) -> str:
    return await asyncio.to_thread(ran, *words)


@contextmanager
def an_old_plugin(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    process = subprocess.Popen([sys.executable, str(folder / "server.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("proto", "speaks"), GENERATIONS)
@in_a_loop
async def test_an_old_engine_calls_our_plugin(proto: str, speaks: Speaks, tmp_path: Path) -> None:
    client = str(made_from(proto, tmp_path) / "client.py")
    async with serving(swap) as server:
        address = f"127.0.0.1:{server.port}"
        assert await called(sys.executable, client, address, "prometheus.server.alert.Hot") == "ok"
        assert await called(sys.executable, client, address, "anything.else") == "ok"
        broken = await called(sys.executable, client, address, "prometheus.server.alert.Broken")
    assert broken == "FAILED_PRECONDITION not this one"


@pytest.mark.parametrize(("proto", "speaks"), GENERATIONS)
@in_a_loop
async def test_we_call_an_old_plugin(proto: str, speaks: Speaks, tmp_path: Path) -> None:
    with an_old_plugin(made_from(proto, tmp_path)) as (port, process):
        host = Host([PluginSettings(name="old", address=f"127.0.0.1:{port}", speaks=speaks)], SystemClock())
        for kind, wanted in (("Hot", done()), ("Broken", failed("UNKNOWN: no such group"))):
            event = Happening(
                id=kind, source="p", type=f"prometheus.server.alert.{kind}", data={"labels": {"instance_id": "i-1"}}
            )
            assert await host.call("old", Call(key=kind, event=event), seconds=20) == wanted
        await host.close()
        assert process.stdout is not None
        assert process.stdout.readline() == "prometheus.server.alert.Hot {'instance_id': 'i-1'}\n"


@in_a_loop
async def test_grpcurl_finds_every_service_by_reflection_and_calls_one() -> None:
    async with serving(swap) as server:
        address = f"127.0.0.1:{server.port}"
        services = (await called(str(GRPCURL), "-plaintext", address, "list")).splitlines()
        assert {FIRST, OWN, SECOND, "grpc.health.v1.Health"} <= set(services)
        described = json.loads(await called(str(GRPCURL), "-plaintext", address, f"{OWN}/Describe"))
        assert described["name"] == "swap"
        alert = '{"eventId": "e-1", "eventType": "prometheus.server.alert.Hot"}'
        answer = await called(str(GRPCURL), "-plaintext", "-d", alert, address, f"{FIRST}/HandleAlert")
        assert json.loads(answer) == {"status": "ok"}


@in_a_loop
async def test_grpcurl_sees_nothing_without_the_token(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    async with serving(swap, safety=Safety(token_file=tmp_path / "tokens")) as server:
        address = f"127.0.0.1:{server.port}"
        assert await called(str(GRPCURL), "-plaintext", address, "list") == ""
        token = f"authorization: Bearer {TOKEN}"
        assert OWN in await called(str(GRPCURL), "-plaintext", "-H", token, address, "list")
