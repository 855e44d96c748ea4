"""exec in a process that speaks gRPC, whose threads make a fork a danger."""

import asyncio

from spotward.plugins.builtin.command import Command, Exec
from spotward.plugins.wire import plugin_pb2 as own
from tests.plugins.sdk.served import calling, in_a_loop, request, serving

ROUNDS = 15
AT_ONCE = 4


@in_a_loop
async def test_every_command_is_run_also_beside_the_threads_of_grpc() -> None:
    exec_ = Exec({"it": Command(command=("/bin/true",))})
    async with serving(exec_) as server, calling(server) as caller:
        for n in range(ROUNDS):
            asked = [caller.result(request(f"{n}-{i}", command="it")) for i in range(AT_ONCE)]
            answers = await asyncio.gather(*asked)
            assert {answer.status for answer in answers} == {own.Result.STATUS_DONE}, answers
