"""Steps carried out by real plugins over real sockets, of each contract."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from grpc import aio

from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError, Permanent, Transient
from spotward.plugins.host.host import Host
from spotward.plugins.host.settings import PluginSettings, Speaks, Trust
from spotward.plugins.sdk import Answer, Call, Happening, Plugin, Problem, Status, done, failed, plugin, refused
from spotward.plugins.sdk.safety import Safety
from spotward.plugins.wire import plugin_pb2 as own
from tests.cluster.papers import certificate, sign, write
from tests.plugins.receiver import receiving
from tests.plugins.sdk.served import in_a_loop, serving

TOKEN = "0123456789abcdef-one"
HOT = Happening(
    id="e-1",
    source="http://prometheus/graph",
    type="prometheus.server.alert.Hot",
    subject="n-1",
    time=1_700_000_000.0,
    data={"labels": {"Instance": "n-1", "type": "odd"}, "annotations": {"summary": "too hot"}},
    extensions={"correlationid": "c-1", "tries": 2, "loud": True},
)
CALL = Call(
    key="flow-1/greet",
    event=HOT,
    properties={"zones": ["a", "b"], "count": 3, "share": 0.5},
    flow="flow-1",
    step="greet",
    attempt=2,
    earlier={"before": done("drained", pods=10)},
    happens=1_700_000_120.0,
)


class Echo(Plugin):
    """Keeps what it is asked."""

    name = "echo"

    def __init__(self, answer: Answer | Callable[[], Answer] | None = None) -> None:
        self.answer_with = answer or done("echoed", number=1)
        self.calls: list[Call] = []
        self.called = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        self.called.set()
        await call.progress("half", 0.5)
        await self.go.wait()
        return self.answer_with if isinstance(self.answer_with, Answer) else self.answer_with()

    def check(self, properties: Any) -> list[Problem]:
        return [Problem(place="count", text="too many")] if properties.get("count", 0) > 5 else []


@asynccontextmanager
async def hosting(address: str, *, invoke: Any = None, **settings: Any) -> AsyncIterator[Host]:
    host = Host([PluginSettings(name="echo", address=address, **settings)], SystemClock(), invoke=invoke)
    try:
        yield host
    finally:
        await host.close()


async def asked(host: Host, call: Call = CALL, seconds: float = 20.0) -> Answer:
    return await host.call("echo", call, seconds=seconds)


@in_a_loop
async def test_a_call_arrives_as_it_was_sent_and_so_does_the_answer() -> None:
    echo = Echo(done("echoed", number=7, nested={"a": [1, 2.5, None, True]}))
    heard: list[tuple[str, float]] = []

    async def listener(text: str, fraction: float) -> None:
        heard.append((text, fraction))

    async with serving(echo) as server, hosting(f"127.0.0.1:{server.port}") as host:
        answer = await host.call("echo", CALL, seconds=20, listener=listener)
    assert answer == done("echoed", number=7, nested={"a": [1, 2.5, None, True]})
    assert heard == [("half", 0.5)]
    (call,) = echo.calls
    assert call.event == HOT
    for field in ("key", "properties", "flow", "step", "attempt", "earlier", "happens", "dry_run"):
        assert getattr(call, field) == getattr(CALL, field)


@pytest.mark.parametrize("answer", [failed("no room", retry_after_seconds=4), refused("not allowed"), done()])
@in_a_loop
async def test_every_kind_of_answer_comes_through(answer: Answer) -> None:
    async with serving(Echo(answer)) as server, hosting(f"127.0.0.1:{server.port}") as host:
        assert await asked(host) == answer


@in_a_loop
async def test_properties_are_judged_by_the_plugin() -> None:
    async with serving(Echo()) as server, hosting(f"127.0.0.1:{server.port}") as host:
        assert await host.problems("echo", {"count": 9}) == (Problem(place="count", text="too many"),)
        assert await host.problems("echo", {"count": 2}) == ()


@pytest.mark.parametrize("speaks", [Speaks.HOLLOWTREES_V1, Speaks.HOLLOWTREES_V2])
@in_a_loop
async def test_a_plugin_of_hollowtrees_is_called_as_ever(speaks: Speaks) -> None:
    echo = Echo()
    async with serving(echo) as server, hosting(f"127.0.0.1:{server.port}", speaks=speaks) as host:
        assert await asked(host) == done()
        assert await host.problems("echo", {"count": 9}) == ()
        echo.answer_with = failed("no room")
        other = Call(key="k", event=Happening(id="e-2", source="s", type="t"))
        assert await asked(host, other) == failed("ABORTED: no room")
    assert echo.calls[0].event.labels == {"Instance": "n-1", "type": "odd"}
    assert echo.calls[0].event.type == HOT.type


def endless() -> bytes:
    response = own.HandleResponse()
    response.result.status = own.Result.STATUS_DONE
    response.result.output.update({"size": float("nan")})
    return response.SerializeToString()


@pytest.mark.parametrize("said", [b"\xff\xff", endless()])
@in_a_loop
async def test_an_answer_that_cannot_be_read_is_a_failure_with_words(said: bytes) -> None:
    async def handle(body: bytes, context: Any) -> AsyncIterator[bytes]:
        yield said

    async def validate(body: bytes, context: Any) -> bytes:
        return b"\xff\xff"

    server = aio.server()
    methods: dict[str, Any] = {
        "Handle": grpc.unary_stream_rpc_method_handler(handle),
        "Validate": grpc.unary_unary_rpc_method_handler(validate),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("spotward.plugin.v1.Plugin", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with hosting(f"127.0.0.1:{port}") as host:
        answer = await asked(host)
        with pytest.raises(Permanent, match="its answer cannot be read"):
            await host.problems("echo", {})
    await server.stop(0)
    assert answer.status is Status.FAILED
    assert answer.text.startswith("its answer cannot be read: ")


@in_a_loop
async def test_what_a_second_generation_plugin_reads_is_laid_out_as_ever() -> None:
    bodies: list[bytes] = []

    async def handle(body: bytes, context: Any) -> bytes:
        bodies.append(body)
        return b"\n\x02ok"

    server = aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Handle": grpc.unary_unary_rpc_method_handler(handle)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("proto.EventHandler", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with hosting(f"127.0.0.1:{port}", speaks=Speaks.HOLLOWTREES_V2) as host:
        await asked(host)
    await server.stop(0)
    from spotward.plugins.wire.hollowtrees_v2_pb2 import CloudEvent

    sent = CloudEvent.FromString(bodies[0])
    assert (sent.specversion, sent.contenttype) == ("0.2", "application/cloudevents+json")
    assert dict(sent.extensions) == {"Instance": "n-1", "type": "odd"}
    assert json.loads(sent.data) == {
        "specversion": "0.2",
        "type": "prometheus.server.alert.Hot",  # the envelope's name wins over a label's
        "source": "http://prometheus/graph",
        "id": "e-1",
        "time": "2023-11-14T22:13:20Z",
        "schemaurl": "",
        "instance": "n-1",
        "labels": {"Instance": "n-1", "type": "odd"},
        "correlationid": "c-1",
        "eventtype": "prometheus",
    }


@in_a_loop
async def test_who_does_not_answer_is_given_up_after_the_time_of_the_step() -> None:
    echo = Echo()
    echo.go.clear()
    async with serving(echo) as server, hosting(f"127.0.0.1:{server.port}") as host:
        with pytest.raises(Transient, match=r"echo: it did not answer within 0\.\d+ s"):
            await asked(host, seconds=0.3)
        echo.go.set()
        assert (await asked(host)).status is Status.DONE
    assert len(echo.calls) == 1, "the second call was given the first one's answer"


@in_a_loop
async def test_who_cannot_be_reached_is_left_alone_and_then_tried_again() -> None:
    async with serving(Echo()) as server:
        port = server.port
    async with hosting(f"127.0.0.1:{port}", failures_max=2, rest_seconds=0.5) as host:
        for _ in range(2):
            with pytest.raises(Transient, match="could not be reached"):
                await asked(host, seconds=2)
        with pytest.raises(Transient, match="is left alone") as caught:
            await asked(host)
        assert caught.value.code == "PluginRests"
        assert 0 < caught.value.retry_after_seconds <= 0.5
        await asyncio.sleep(0.6)
        with pytest.raises(Transient, match="could not be reached"):
            await asked(host, seconds=2)


@in_a_loop
async def test_a_plugin_that_ends_in_the_middle_of_a_call_is_missed_and_its_successor_answers() -> None:
    echo = Echo()
    echo.go.clear()
    async with serving(echo) as server:
        port = server.port
        host = Host([PluginSettings(name="echo", address=f"127.0.0.1:{port}")], SystemClock())
        waiting = asyncio.ensure_future(asked(host))
        await echo.called.wait()
    with pytest.raises(Transient) as caught:
        await waiting
    assert caught.value.code == "PluginMissed"
    await host.close()


@in_a_loop
async def test_more_calls_than_it_takes_wait_for_their_turn_within_their_time() -> None:
    echo = Echo()
    echo.go.clear()
    async with serving(echo) as server, hosting(f"127.0.0.1:{server.port}", calls_at_once_max=1) as host:
        going = asyncio.ensure_future(asked(host))
        await echo.called.wait()
        with pytest.raises(Transient, match="echo is busy: its 1 calls took all of the time"):
            await asked(host, Call(key="other", event=HOT), seconds=0.2)
        echo.go.set()
        assert (await going).status is Status.DONE


@in_a_loop
async def test_one_connection_serves_all_calls() -> None:
    @plugin(name="echo")
    async def peer(call: Call) -> None: ...

    async with serving(peer) as server, hosting(f"127.0.0.1:{server.port}") as host:
        await asyncio.gather(*(asked(host, Call(key=str(n), event=HOT)) for n in range(20)))
        peers = _peers(server.port)
    assert len(peers) == 1


def _peers(port: int) -> set[str]:
    """Connections to a port of this machine, from /proc."""
    wanted = f"{port:04X}"
    found = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(file).read_text().splitlines()[1:]:
            local, remote, state = line.split()[1:4]
            if remote.endswith(f":{wanted}") and state == "01":
                found.add(local)
    return found


@pytest.mark.parametrize("token", [None, "wrong-wrong-wrong-wrong"])
@in_a_loop
async def test_without_the_right_token_the_answer_is_a_refusal(token: str | None, tmp_path: Path) -> None:
    (tmp_path / "good").write_text(TOKEN)
    (tmp_path / "sent").write_text(token or "")
    trust = Trust(token_file=tmp_path / "sent" if token else None)
    safety = Safety(token_file=tmp_path / "good")
    async with serving(Echo(), safety=safety) as server, hosting(f"127.0.0.1:{server.port}", trust=trust) as host:
        answer = await asked(host)
        assert answer.status is Status.REFUSED
        assert "UNAUTHENTICATED" in answer.text
        (tmp_path / "sent").write_text(f"{TOKEN}\n")
        assert (await asked(host)).good == (token is not None), "a renewed token is read"


@in_a_loop
async def test_mutual_tls_goes_on_when_every_certificate_is_renewed(tmp_path: Path) -> None:
    def issue() -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        paper = certificate("authority", key, key, None)
        write(tmp_path / "ca.crt", paper)
        for name in ("server", "client"):
            sign(tmp_path, name, name, None, paper, key)

    issue()
    ca = tmp_path / "ca.crt"
    safety = Safety(certificate=tmp_path / "server.crt", key=tmp_path / "server.key", client_ca=ca)
    trust = Trust(ca=ca, certificate=tmp_path / "client.crt", key=tmp_path / "client.key")
    async with serving(Echo(), safety=safety) as server, hosting(f"127.0.0.1:{server.port}", trust=trust) as host:
        assert (await asked(host)).good
        issue()
        assert (await asked(host)).good


@in_a_loop
async def test_a_file_that_is_away_is_said() -> None:
    async with hosting("127.0.0.1:9", trust=Trust(ca=Path("/nowhere/ca.crt"))) as host:
        with pytest.raises(Permanent, match=r"/nowhere/ca\.crt cannot be read"):
            await asked(host)


@in_a_loop
async def test_a_name_that_nobody_has_is_said_with_those_that_there_are() -> None:
    async with hosting("127.0.0.1:9") as host:
        with pytest.raises(Permanent, match="no plugin is called `nobody`; there are echo"):
            await host.call("nobody", CALL, seconds=1)


# ---- HTTP, Fn, Lambda ------------------------------------------------------------------------------------------


@in_a_loop
async def test_an_http_endpoint_gets_a_cloud_event() -> None:
    with receiving() as receiver:
        async with hosting(f"{receiver.url}/x", speaks=Speaks.HTTP) as host:
            assert await asked(host) == done()
        path, headers, body = receiver.heard[0]
    assert path == "/x"
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["idempotency-key"] == "flow-1/greet"
    event = json.loads(body)
    assert event["specversion"] == "1.0"
    assert event["time"] == "2023-11-14T22:13:20Z"
    assert event["happens"] == "2023-11-14T22:15:20Z"
    assert event["data"] == HOT.data
    assert json.loads(event["properties"]) == CALL.properties
    assert json.loads(event["earlier"])["before"]["output"] == {"pods": 10}
    assert all(name.isalnum() and name.islower() for name in event), "as CloudEvents wants its attributes named"


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, b"", done()),
        (202, b"accepted", done("accepted")),
        (
            200,
            b'{"status": "failed", "text": "no room", "retry_after_seconds": 3}',
            failed("no room", retry_after_seconds=3),
        ),
        (200, b'{"status": "done", "output": {"a": 1}}', done(a=1)),
        (200, b'{"status": "perhaps"}', failed('its answer is not understood: {"status": "perhaps"}')),
        (
            200,
            b'{"status": "done", "output": 3}',
            failed('its answer is not understood: {"status": "done", "output": 3}'),
        ),
        (404, b"", refused("it answered 404")),
        (422, b'{"text": "no such channel"}', refused("it answered 422: no such channel")),
        (429, b"", failed("it answered 429")),
        (500, b"", failed("it answered 500")),
        (301, b"", refused("it answered 301")),
    ],
)
@in_a_loop
async def test_what_an_endpoint_answers_is_understood(status: int, body: bytes, wanted: Answer) -> None:
    with receiving() as receiver:
        receiver.status, receiver.answer = status, body
        async with hosting(f"{receiver.url}/x", speaks=Speaks.HTTP) as host:
            assert await asked(host) == wanted


@in_a_loop
async def test_an_endpoint_that_is_away_or_slow_is_missed() -> None:
    with receiving() as receiver:
        async with hosting(f"{receiver.url}/x", speaks=Speaks.HTTP) as host:
            receiver.status = 503
            with pytest.raises(Transient, match="echo: it answered 503"):
                await asked(host)
            receiver.pause.clear()
            with pytest.raises(Transient, match="did not answer within"):
                await asked(host, seconds=0.3)
            receiver.pause.set()
        url = receiver.url
    async with hosting(f"{url}/secret", speaks=Speaks.HTTP) as host:
        with pytest.raises(Transient, match=r"could not be reached \(ConnectError\)") as caught:
            await asked(host)
        assert "secret" not in str(caught.value)


@in_a_loop
async def test_an_fn_function_gets_the_labels_as_ever() -> None:
    with receiving() as receiver:
        async with hosting(f"{receiver.url}/r/ht/swap", speaks=Speaks.FN) as host:
            assert (await asked(host)).good
        path, _, body = receiver.heard[0]
    assert path == "/r/ht/swap"
    assert json.loads(body) == {"Instance": "n-1", "type": "odd"}


@in_a_loop
async def test_a_lambda_function_is_run_with_the_event_and_its_error_is_told() -> None:
    answers = [
        (b'{"status": "done", "text": "swapped"}', False),
        (b'{"errorType": "KeyError", "errorMessage": "zone"}', True),
    ]
    seen: list[Any] = []

    async def invoke(name: str, payload: bytes, seconds: float) -> tuple[bytes, bool]:
        seen.append((name, json.loads(payload)["idempotencykey"]))
        return answers[len(seen) - 1]

    async with hosting("arn:aws:lambda:eu-west-1:1:function:f", speaks=Speaks.LAMBDA, invoke=invoke) as host:
        assert await asked(host) == done("swapped")
        assert await asked(host) == failed("the function failed: KeyError: zone")
    assert seen[0] == ("arn:aws:lambda:eu-west-1:1:function:f", "flow-1/greet")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"address": "nowhere"}, "give host:port"),
        ({"address": "127.0.0.1:99999"}, "give host:port"),
        ({"address": "ftp://x", "speaks": Speaks.HTTP}, "give the URL of the endpoint"),
        ({"address": "", "speaks": Speaks.LAMBDA}, "it says where the plugin is"),
        ({"address": "x:1", "speaks": Speaks.FN}, "give the URL of the endpoint"),
        ({"address": "x:1", "calls_at_once_max": 0}, "1 to 1000"),
        ({"address": "x:1", "name": "no name"}, "is no name"),
    ],
)
def test_settings_that_cannot_be_meant_are_said(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PluginSettings(**{"name": "echo"} | fields)


def test_two_plugins_of_one_name_are_said() -> None:
    twice = [PluginSettings(name="echo", address="x:1")] * 2
    with pytest.raises(ConfigError, match="two plugins are called `echo`"):
        Host(twice, SystemClock())
