"""What steps of the user's rules want of AWS: a function run, a topic told.

The region is that of the ARN; for a function that is named without one, that of the environment. Both are the user's
own things, so that the rights for them have a file of their own (deploy/iam-policy-flows.json). No call is repeated
here: whether a step is tried again is the rules' business, and its idempotency key goes along.
"""

import asyncio
import hashlib
from typing import Any

from spotward.aws.regions import NO_REGION
from spotward.aws.session import Aws
from spotward.aws.translation import reading
from spotward.model.errors import Permanent, Transient

FUNCTION_SECONDS_MAX = 900.0
"""Lambda lets a function run no longer."""

READ_SECONDS = FUNCTION_SECONDS_MAX + 20.0
"""So long a connection is waited at; the step's own time ends before."""

ANSWER_BYTES_MAX = 1024 * 1024
"""A function that returns more is refused."""

SUBJECT_CHARACTERS_MAX = 99
"""SNS takes no longer subject, and no line breaks or letters beyond ASCII in it."""

FIFO = ".fifo"
"""How the name of a topic that keeps an order ends."""

FIFO_GROUP = "spotward"
REGION_AT = 3
"""Which part of an ARN is its region."""


class Reactions:
    """Runs functions and publishes to topics. Connections are made when they are first needed."""

    def __init__(self, aws: Aws | None = None) -> None:
        """aws: a door of its own unless given, for functions take long."""
        self._aws = aws or Aws(read_timeout_seconds=READ_SECONDS, attempts_max=1)

    async def invoke(self, name: str, payload: bytes, seconds: float) -> tuple[bytes, bool]:
        """What a function returned, and whether it failed. name: or ARN. Raises OutsideError.

        One that does not answer in time goes on where it is; its key tells it what was done already.
        """
        region = await self._region(name)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._aws.poll(region, "lambda", "invoke", FunctionName=name, Payload=payload)
                with reading(f"lambda.Invoke in {region}"):
                    body = await asyncio.to_thread(answer["Payload"].read, ANSWER_BYTES_MAX + 1)
        except TimeoutError:
            raise Transient(f"{name} did not answer within {seconds:.3g} s", code="TimedOut") from None
        if len(body) > ANSWER_BYTES_MAX:
            raise Permanent(f"{name} returned more than {ANSWER_BYTES_MAX} bytes", code="TooLong")
        return bytes(body), "FunctionError" in answer

    async def publish(self, arn: str, subject: str, text: str, key: str) -> None:
        """Tell a topic. key: what is published twice under it is told once, by a topic that keeps an order.

        Raises OutsideError.
        """
        said: dict[str, Any] = {"TopicArn": arn, "Message": text}
        if words := plain_subject(subject):
            said["Subject"] = words
        if arn.endswith(FIFO):
            said |= {"MessageGroupId": FIFO_GROUP, "MessageDeduplicationId": hashlib.sha256(key.encode()).hexdigest()}
        await self._aws.call(await self._region(arn), "sns", "publish", **said)

    def close(self) -> None:
        """Let go of connections; calls under way are not waited for."""
        self._aws.close()

    async def _region(self, name: str) -> str:
        region = region_in(name) or await self._aws.home()
        if region is None:
            raise Permanent(f"{name}: {NO_REGION}; or give its ARN", code="NoRegion")
        return region


def region_in(name: str) -> str:
    """The region in an ARN; empty for what is none."""
    parts = name.split(":")
    return parts[REGION_AT] if len(parts) > REGION_AT and parts[0] == "arn" else ""


def plain_subject(text: str) -> str:
    """As SNS takes it."""
    words = " ".join(text.split()).encode("ascii", "replace").decode()
    return "".join(char for char in words if char.isprintable())[:SUBJECT_CHARACTERS_MAX]
