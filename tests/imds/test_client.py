"""The client of the metadata service, against the served one: tokens, failures, old services."""

import pytest

from spotward.aws.imds import RENEWAL_SHARE, Imds, ImdsPolicy, endpoint
from spotward.events.imds import INTERRUPTION, MAINTENANCE
from spotward.http.server import serving
from spotward.http.values import Answer, Request, text_answer
from spotward.model.errors import ConfigError, PayloadError, Transient
from tests.imds.drill import HUNG_SECONDS, drilling, patience

pytestmark = pytest.mark.anyio

TOKEN = "/latest/api/token"


async def failure(imds: Imds, path: str = INTERRUPTION) -> Transient:
    with pytest.raises(Transient) as failed:
        await imds.document(path)
    return failed.value


async def test_documents_and_their_absence_are_read_with_one_token() -> None:
    async with drilling(v1=False) as drill:
        imds = drill.imds()
        assert await imds.document(INTERRUPTION) is None
        assert await imds.document(MAINTENANCE) == "[]"
        assert (await imds.machine()).region == "us-east-1"
        assert drill.requests(TOKEN) == 1
        assert imds.version == 2


async def test_a_token_is_renewed_before_it_ends() -> None:
    async with drilling(v1=False) as drill:
        imds = drill.imds(token_seconds=1)
        for _ in range(3):
            await imds.document(MAINTENANCE)
        assert drill.requests(TOKEN) == 1
        imds._renew_at -= 1 - RENEWAL_SHARE  # so much time has passed
        await imds.document(MAINTENANCE)
        assert drill.requests(TOKEN) == 2
        assert not imds.failures


async def test_a_401_costs_one_new_token_and_nobody_notices() -> None:
    async with drilling("- {at: 10s, forget_tokens: true}", v1=False) as drill:
        imds = drill.imds()
        await imds.document(MAINTENANCE)
        drill.clock.turn(10)
        assert await imds.document(MAINTENANCE) == "[]"
        assert drill.requests(TOKEN) == 2
        assert not imds.failures


async def test_a_token_that_ran_out_while_the_machine_slept_is_replaced() -> None:
    async with drilling(v1=False) as drill:
        imds = drill.imds(token_seconds=60)
        await imds.document(MAINTENANCE)
        drill.clock.turn(100)  # our own clock stood still meanwhile
        assert await imds.document(MAINTENANCE) == "[]"
        assert not imds.failures


async def test_a_service_that_takes_none_of_its_own_tokens_is_told_and_asked_again_with_a_new_one() -> None:
    async with drilling("- {at: 0, fail: {status: 401, path: spot/*, times: 2}}", v1=False) as drill:
        imds = drill.imds()
        assert (await failure(imds)).code == "Unauthorized"
        assert await imds.document(INTERRUPTION) is None
        assert drill.requests(TOKEN) == 3


async def test_without_a_token_nothing_is_asked_unless_that_was_allowed() -> None:
    async with drilling("- {at: 0, fail: {status: 404, path: token}}") as drill:
        assert (await failure(drill.imds())).code == "NoToken"
        assert drill.requests(f"/latest/meta-data/{INTERRUPTION}") == 0
        allowed = drill.imds(v1=True)
        assert await allowed.document(INTERRUPTION) is None
        assert await allowed.document(MAINTENANCE) == "[]"
        assert drill.requests(TOKEN) == 2
        assert allowed.version == 1


async def test_a_hop_limit_that_is_too_low_is_told_with_its_remedy_and_paid_once_where_v1_is_allowed() -> None:
    async with drilling("- {at: 0, fail: {hang: true, path: token}}") as drill:
        failed = await failure(drill.imds(answer_seconds_max=HUNG_SECONDS))
        assert failed.code == "Timeout"
        assert "HttpPutResponseHopLimit to 2" in str(failed)
        allowed = drill.imds(v1=True, answer_seconds_max=HUNG_SECONDS)
        for _ in range(5):
            assert await allowed.document(MAINTENANCE) == "[]"
        assert drill.requests(TOKEN) == 2


async def test_a_service_that_begins_to_want_tokens_gets_them() -> None:
    async with drilling("- {at: 0, until: 10s, fail: {status: 404, path: token}}") as drill:
        imds = drill.imds(v1=True)
        assert await imds.document(MAINTENANCE) == "[]"
        drill.clock.turn(10)
        drill.service.v1 = False
        assert (await failure(imds)).code == "Unauthorized"
        assert await imds.document(MAINTENANCE) == "[]"
        assert imds.version == 2


@pytest.mark.parametrize(
    ("fail", "code"),
    [
        ("{status: 500}", "500"),
        ("{status: 503}", "503"),
        ("{status: 403}", "Forbidden"),
        ("{hang: true}", "Timeout"),
        ("{garbage: true}", "NotHttp"),
    ],
)
async def test_what_fails_is_told_counted_and_over_when_it_is_over(fail: str, code: str) -> None:
    path = fail.replace("}", ", path: spot/*}")
    async with drilling(f"- {{at: 10s, for: 10s, fail: {path}}}", v1=False) as drill:
        imds = drill.imds(answer_seconds_max=patience(fail))
        assert await imds.document(INTERRUPTION) is None
        drill.clock.turn(10)
        assert (await failure(imds)).code == code
        assert await imds.document(MAINTENANCE) == "[]"
        drill.clock.turn(10)
        assert await imds.document(INTERRUPTION) is None
        assert imds.failures == {code: 1}


async def test_a_failed_renewal_leaves_the_old_token_in_use() -> None:
    async with drilling("- {at: 10s, fail: {status: 503, path: token}}", v1=False) as drill:
        imds = drill.imds(token_seconds=60)
        await imds.document(MAINTENANCE)
        imds._renew_at = 0.0
        drill.clock.turn(10)
        for _ in range(3):
            assert await imds.document(MAINTENANCE) == "[]"
        assert drill.requests(TOKEN) == 2


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with drilling() as drill:
        gone = drill.imds()
    assert (await failure(gone)).code == "Unreachable"


# ---- services that are less than whole -------------------------------------------------------------------------------


async def serves_two_documents(request: Request) -> Answer:
    """A test server that knows two documents and no token."""
    documents = {
        "/latest/meta-data/instance-id": "i-0d2aab13057917887",
        "/latest/meta-data/spot/instance-action": '{"action": "stop", "time": "2026-11-11T21:32:34Z"}',
    }
    text = documents.get(request.path)
    return text_answer(404, "404 page not found\n") if text is None else text_answer(200, text)


@pytest.mark.parametrize("tail", ["", "/", "/latest", "/latest/meta-data", "/latest/meta-data/"])
async def test_a_service_of_two_documents_is_read_whatever_form_its_address_has(tail: str) -> None:
    async with serving(serves_two_documents, host="127.0.0.1", port=0) as port:
        imds = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}{tail}", v1=True))
        machine = await imds.machine()
        assert (machine.instance_id, machine.region) == ("i-0d2aab13057917887", "")
        assert "stop" in (await imds.document(INTERRUPTION) or "")
        await imds.close()


async def test_a_page_of_something_else_is_no_machine() -> None:
    async def portal(request: Request) -> Answer:
        return text_answer(200, "<html>Please log in</html>")

    async with serving(portal, host="127.0.0.1", port=0) as port:
        imds = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}", v1=True))
        with pytest.raises(PayloadError, match="is not JSON"):
            await imds.machine()
        strict = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}"))
        assert (await failure(strict)).code == "NoToken"
        await imds.close()
        await strict.close()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://169.254.169.254", ("169.254.169.254", 80, "")),
        ("http://169.254.169.254/latest/meta-data/", ("169.254.169.254", 80, "")),
        ("http://[fd00:ec2::254]", ("fd00:ec2::254", 80, "")),
        ("http://localhost:9092/i-1/latest/meta-data", ("localhost", 9092, "/i-1")),
        ("http://localhost:9092/i-1/", ("localhost", 9092, "/i-1")),
    ],
)
def test_an_address_may_stand_with_or_without_its_tail(url: str, found: tuple[str, int, str]) -> None:
    where = endpoint(url)
    assert (where.host, where.port, where.prefix) == found


@pytest.mark.parametrize(
    "url", ["169.254.169.254", "https://169.254.169.254", "http://", "http://x:port", "http://[::1", "http://x/a b"]
)
def test_an_address_that_is_none_is_told_with_one_that_is(url: str) -> None:
    with pytest.raises(ConfigError, match=r"give one like http://169\.254\.169\.254"):
        ImdsPolicy(url=url)


@pytest.mark.parametrize("wrong", [{"answer_seconds_max": 0}, {"token_seconds": 0}, {"token_seconds": 21_601}])
def test_settings_that_cannot_be_are_told_with_those_that_can(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="give"):
        ImdsPolicy(**wrong)  # type: ignore[arg-type] # tests give what they like
