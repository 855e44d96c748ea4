"""Asking AWS and reading the answer, as one: an answer of another shape is an error that names the call."""

from collections.abc import Callable
from typing import Any, TypeVar

from spotward.aws.describe import Described
from spotward.aws.session import Aws
from spotward.aws.translation import reading

T = TypeVar("T")


async def ask(
    aws: Aws, region: str, service: str, operation: str, read: Callable[[Described], T], **parameters: Any
) -> T:
    """Make a call, and read its answer. Raises OutsideError, also when `read` finds an answer of another shape."""
    answer = await aws.call(region, service, operation, **parameters)
    api_name = "".join(word.capitalize() for word in operation.split("_"))
    with reading(f"{service}.{api_name} in {region}"):
        return read(answer)
