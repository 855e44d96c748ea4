"""In which trace a call stands is passed on to plugins of each kind, over real sockets."""

from dataclasses import replace

from spotward.plugins.builtin.request import Http, Send, Target
from spotward.plugins.host.settings import Speaks
from spotward.plugins.sdk import Call
from tests.plugins.host.test_host import CALL, Echo, asked, hosting
from tests.plugins.receiver import receiving
from tests.plugins.sdk.served import in_a_loop, serving

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACED = replace(CALL, traceparent=SENT)


@in_a_loop
async def test_a_grpc_plugin_of_any_contract_reads_it_in_its_call() -> None:
    for speaks in (Speaks.SPOTWARD, Speaks.HOLLOWTREES_V1, Speaks.HOLLOWTREES_V2):
        echo = Echo()
        async with serving(echo) as server, hosting(f"127.0.0.1:{server.port}", speaks=speaks) as host:
            await asked(host, TRACED)
        assert [call.traceparent for call in echo.calls] == [SENT], speaks


@in_a_loop
async def test_an_http_plugin_reads_it_in_a_header() -> None:
    with receiving() as receiver:
        async with hosting(receiver.url, speaks=Speaks.HTTP) as host:
            await asked(host, TRACED)
            await asked(host, replace(CALL, key="another"))
    assert [_header(headers) for _, headers, _ in receiver.heard] == [SENT, None]


@in_a_loop
async def test_the_built_in_http_passes_it_on() -> None:
    with receiving() as receiver:
        http = Http({"there": Target(url=receiver.url)})
        call: Call = replace(TRACED, properties=Send(target="there"))
        assert (await http.handle(call)).good
    assert [_header(headers) for _, headers, _ in receiver.heard] == [SENT]


def _header(headers: dict[str, str]) -> str | None:
    return {name.lower(): value for name, value in headers.items()}.get("traceparent")
