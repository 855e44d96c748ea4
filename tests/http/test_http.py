"""The light client and the light server, against each other and against servers that misbehave; real sockets."""

import asyncio
import http.client
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from spotward.http.client import ANSWER_BYTES_MAX, Client
from spotward.http.server import BODY_BYTES_MAX, serving
from spotward.http.values import Answer, Request, text_answer
from spotward.model.errors import Transient

pytestmark = pytest.mark.anyio

HOST = "127.0.0.1"
SECONDS = 60.0

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(request: Request) -> Answer:
    return Answer(
        status=200, body=f"{request.method} {request.target} ".encode() + request.body, headers={"x-peer": request.peer}
    )


@asynccontextmanager
async def speaking(talk: Talk) -> AsyncIterator[Client]:
    """A server that says what it wants, and a client of it."""
    server = await asyncio.start_server(talk, HOST, 0)
    client = Client(HOST, server.sockets[0].getsockname()[1])
    try:
        yield client
    finally:
        await client.close()
        server.close()


def saying(*parts: bytes, close: bool = True) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
        if close:
            writer.close()
        else:
            await reader.read()
            writer.close()

    return talk


async def failure(client: Client, *, method: str = "GET", seconds_max: float = SECONDS) -> Transient:
    with pytest.raises(Transient) as failed:
        await client.ask(method, "/", seconds_max=seconds_max)
    return failed.value


async def test_requests_and_answers_arrive_whole() -> None:
    async with serving(echo, host=HOST, port=0) as port:
        client = Client(HOST, port)
        answer = await client.ask("PUT", "/a?b=c", body=b"x" * 100_000, seconds_max=SECONDS)
        assert answer.status == 200
        assert answer.text == "PUT /a?b=c " + "x" * 100_000
        assert answer.headers["x-peer"] == HOST
        await client.close()


async def test_one_connection_serves_many_requests() -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    async with speaking(talk) as client:
        for _ in range(5):
            assert (await client.ask("GET", "/", seconds_max=SECONDS)).text == "hi"
    assert connections == 1


async def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
    async with speaking(saying(said)) as client:
        for _ in range(3):
            assert (await client.ask("GET", "/", seconds_max=SECONDS)).text == "hi"
            await asyncio.sleep(0.02)


async def test_a_request_that_a_kept_connection_leaves_unanswered_goes_out_again_if_it_may_be_repeated() -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the first request, hears the second, and hangs up."""
        asked.append(await reader.readuntil(b" "))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        with suppress(asyncio.IncompleteReadError):
            asked.append(await reader.readuntil(b" "))
        writer.close()

    async with speaking(talk) as client:
        for method in ("GET", "PUT", "GET"):
            assert (await client.ask(method, "/", seconds_max=SECONDS)).text == "hi"
        assert asked == [b"GET ", b"PUT ", b"PUT ", b"GET ", b"GET "]
        assert (await failure(client, method="POST")).code == "Unreachable"
        assert asked[5:] == [b"POST "]


async def test_an_answer_in_chunks_and_one_that_ends_with_the_connection_are_read() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with speaking(saying(chunked)) as client:
        assert (await client.ask("GET", "/", seconds_max=SECONDS)).text == "abc"
    async with speaking(saying(b"HTTP/1.0 200 OK\r\n\r\nab", b"c")) as client:
        assert (await client.ask("GET", "/", seconds_max=SECONDS)).text == "abc"


@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (saying(b"SSH-2.0-OpenSSH\r\n\r\n"), "NotHttp"),
        (saying(b""), "Unreachable"),
        (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), "NotHttp"),
        (saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (ANSWER_BYTES_MAX + 1)), "Unreachable"),
        (saying(close=False), "Timeout"),
        (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", close=False), "Timeout"),
    ],
    ids=["another protocol", "closed at once", "half an answer", "an endless answer", "silence", "stuck in the middle"],
)
async def test_a_server_that_misbehaves_is_told_in_words(talk: Talk, code: str) -> None:
    async with speaking(talk) as client:
        failed = await failure(client, seconds_max=0.5 if code == "Timeout" else SECONDS)
        assert failed.code == code
        assert client.where in str(failed)


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    async with serving(echo, host=HOST, port=0) as port:
        pass
    assert (await failure(Client(HOST, port))).code == "Unreachable"


async def test_a_name_that_cannot_be_one_is_unreachable() -> None:
    assert (await failure(Client("a..b", 80))).code == "Unreachable"


async def test_after_a_silence_the_next_answer_is_that_of_the_next_question() -> None:
    async def answer(request: Request) -> Answer:
        await asyncio.sleep(0.3 if request.path == "/slow" else 0)
        return text_answer(200, request.path)

    async with serving(answer, host=HOST, port=0) as port:
        client = Client(HOST, port)
        with pytest.raises(Transient):
            await client.ask("GET", "/slow", seconds_max=0.1)
        assert (await client.ask("GET", "/next", seconds_max=SECONDS)).text == "/next"


async def test_questions_of_one_client_wait_for_each_other() -> None:
    async with serving(echo, host=HOST, port=0) as port:
        client = Client(HOST, port)
        asked = [client.ask("GET", f"/{number}", seconds_max=SECONDS) for number in range(20)]
        assert [answer.text for answer in await asyncio.gather(*asked)] == [f"GET /{number} " for number in range(20)]


async def test_a_fault_behind_the_server_is_an_answer_and_not_its_end() -> None:
    async def faulty(request: Request) -> Answer:
        if request.path == "/fault":
            raise RuntimeError("a fault of ours")
        return text_answer(200, "well")

    async with serving(faulty, host=HOST, port=0) as port:
        client = Client(HOST, port)
        assert (await client.ask("GET", "/fault", seconds_max=SECONDS)).status == 500
        assert (await client.ask("GET", "/", seconds_max=SECONDS)).text == "well"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", b"431"),
        (f"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode(), b"413"),
    ],
    ids=["no host", "nonsense", "an endless header", "an endless body"],
)
async def test_a_request_that_is_none_is_refused_and_the_server_goes_on(sent: bytes, status: bytes) -> None:
    async with serving(echo, host=HOST, port=0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(sent)
        if status == b"413":
            writer.write(b"x" * (BODY_BYTES_MAX + 1))
        assert (await reader.readline()).split()[1] == status
        writer.close()
        assert (await Client(HOST, port).ask("GET", "/", seconds_max=SECONDS)).status == 200


async def test_another_make_of_client_is_served_too() -> None:
    def ask(port: int) -> list[tuple[int, bytes]]:
        line = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
        answers = []
        for method in ("GET", "HEAD", "PUT"):
            line.request(method, "/", body=b"z" if method == "PUT" else None)
            answer = line.getresponse()
            answers.append((answer.status, answer.read()))
        return answers

    async with serving(echo, host=HOST, port=0) as port:
        answers = await asyncio.to_thread(ask, port)
    assert answers == [(200, b"GET / "), (200, b""), (200, b"PUT / z")]


async def test_a_closing_server_lets_go_of_those_who_wait() -> None:
    async def never(request: Request) -> None:
        return None

    async with serving(never, host=HOST, port=0) as port:
        waiting = asyncio.create_task(failure(Client(HOST, port)))
        await asyncio.sleep(0.05)
    assert (await asyncio.wait_for(waiting, SECONDS)).code == "Unreachable"
