"""How lists are filtered and cut into pages, the same for every Describe call.

A filter's values are alternatives, filters are all required, `*` and `?` are wildcards and letters' case counts; each
resource says what its own filter names look at, and `tag:KEY` and `tag-key` are understood for all.
A page's token names the last thing shown, not a position, so that what comes and goes between two pages neither hides
anything nor shows it twice.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from spotward.sim.errors import ApiError

T = TypeVar("T")

Answer = dict[str, Any]
Params = Mapping[str, Any]
Operation = Callable[[Params], Answer]
Values = Callable[[T], str | Iterable[str] | None]
"""What a filter looks at: one value, several, or None when the resource has none."""


class Rendered(dict[str, Any]):
    """A finished part of an answer that never changes again: a change of its subject makes a new one.

    A serializer may keep its own rendering of it in `wire`, and so write ten thousand unchanged instances at the cost
    of joining strings.
    """

    __slots__ = ("wire",)

    wire: object


@lru_cache(maxsize=4096)
def _pattern(value: str) -> re.Pattern[str] | None:
    """The value as a regular expression, or None when it has no wildcard."""
    if not re.search(r"[*?\\]", value):
        return None
    parts = re.findall(r"\\.|[*?]|[^*?\\]+|\\$", value, flags=re.DOTALL)
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part.removeprefix("\\"))) for part in parts))


def matcher(values: Sequence[str]) -> Callable[[str], bool]:
    """Does a string match one of the filter's values?"""
    exact = frozenset(value for value in values if _pattern(value) is None)
    patterns = [pattern for value in values if (pattern := _pattern(value)) is not None]
    if not patterns:
        return exact.__contains__
    return lambda text: text in exact or any(pattern.fullmatch(text) for pattern in patterns)


def is_exact(values: Sequence[str]) -> bool:
    """True when no value has a wildcard, so that an index can answer."""
    return all(_pattern(value) is None for value in values)


def _test(values: Values[T], accepted: Callable[[str], bool]) -> Callable[[T], bool]:
    def test(item: T) -> bool:
        found = values(item)
        if found is None:
            return False
        return accepted(found) if isinstance(found, str) else any(accepted(value) for value in found)

    return test


def sieve(
    filters: Sequence[Mapping[str, Any]] | None,
    known: Callable[[str], Values[T] | None],
    tags: Callable[[T], Mapping[str, str]] | None = None,
) -> Callable[[T], bool]:
    """One predicate for all filters; `known` is asked what a filter's name looks at.

    Raises ApiError for a filter that the call does not know.
    """
    tests = [
        _test(_values_of(one.get("Name", "null"), known, tags), matcher(one.get("Values") or ()))
        for one in filters or ()
    ]
    if len(tests) == 1:
        return tests[0]
    return lambda item: all(test(item) for test in tests)


def _values_of(
    name: str,
    known: Callable[[str], Values[T] | None],
    tags: Callable[[T], Mapping[str, str]] | None,
) -> Values[T]:
    values = known(name)
    if values is not None:
        return values
    if tags is not None and name == "tag-key":
        return lambda item: tags(item).keys()
    if tags is not None and name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda item: tags(item).get(key)
    raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")


def page(
    items: Iterable[T],
    params: Params,
    *,
    key: Callable[[T], Any],
    size: int | None,
    size_name: str = "MaxResults",
) -> tuple[list[T], str | None]:
    """The page that `params` asks for and the token of the next.

    `items` come in ascending order of `key`; `size` is the page when the caller names none (None: everything), and the
    largest that it may name.
    """
    limit = params.get(size_name)
    if limit is not None and limit < 1:
        code = "ValidationError" if size_name == "MaxRecords" else "InvalidParameterValue"  # Auto Scaling's, and EC2's
        raise ApiError(code, f"Value ( {limit} ) for parameter {size_name} is invalid. It must be 1 or more.")
    limit = size if limit is None or (size is not None and limit > size) else limit
    last = read_token(params["NextToken"]) if params.get("NextToken") else None
    shown: list[T] = []
    for item in items:
        if last is not None and key(item) <= last:
            continue
        if limit is not None and len(shown) == limit:
            return shown, token_after(key(shown[-1]))
        shown.append(item)
    return shown, None


def paged(name: str, items: Sequence[Any], token: str | None) -> Answer:
    """`{name: items}`, with NextToken when there is more."""
    return {name: items, "NextToken": token} if token else {name: items}


def token_after(last: object) -> str:
    """The NextToken of a page whose last item has the key `last`."""
    return base64.urlsafe_b64encode(json.dumps(last).encode()).decode()


def read_token(token: str) -> Any:
    """The key that `token_after` was given."""
    try:
        last = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise ApiError("InvalidNextToken", f"The token '{token}' is invalid.") from error
    return tuple(last) if isinstance(last, list) else last


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_for(kind: str, specifications: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """The tags that `TagSpecifications` gives to resources of that kind."""
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in specifications or ()
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags") or ()
    }
