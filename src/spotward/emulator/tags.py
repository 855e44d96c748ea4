"""EC2's tag calls, which may name things of the virtual region and of moto in one breath.

CreateTags and DeleteTags are split between the two; DescribeTags shows both: the virtual region's tags page by page,
and moto's, which do not come in pages, behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from spotward.emulator.dialects import ec2_dialect
from spotward.emulator.site import Site
from spotward.emulator.wire import Reply, Request
from spotward.sim.errors import ApiError

TAG_CALLS = frozenset({"ec2.CreateTags", "ec2.DeleteTags", "ec2.DescribeTags"})

Params = Mapping[str, Any]
Moto = Callable[[Request], Reply]


def answer_tags(operation: str, params: Params, request: Request, *, site: Site, moto: Moto) -> Params | None:
    """Our answer; None if the call is moto's alone. Raises ApiError."""
    name = f"ec2.{operation}"
    if site.owns(name, params):
        return site.call(name, params)
    if operation == "DescribeTags":
        return _describe(params, request, site=site, moto=moto)
    ours = [one for one in params["Resources"] if site.owns(name, {**params, "Resources": [one]})]
    if not ours:
        return None
    theirs = [one for one in params["Resources"] if one not in ours]
    site.call(name, {**params, "Resources": ours})
    return _read(moto(_rewritten(request, operation, {**params, "Resources": theirs})), operation)


def _describe(params: Params, request: Request, *, site: Site, moto: Moto) -> Params | None:
    filters = params.get("Filters") or ()
    if any(one.get("Name") in {"resource-type", "resource-id"} for one in filters) and not _some_ours(filters, site):
        return None
    answer = site.call("ec2.DescribeTags", params)
    if answer.get("NextToken"):
        return answer
    asked = {name: part for name, part in params.items() if name not in {"NextToken", "MaxResults"}}
    theirs = _read(moto(_rewritten(request, "DescribeTags", asked)), "DescribeTags")
    return {**answer, "Tags": [*answer["Tags"], *theirs.get("Tags", ())]}


def _some_ours(filters: Any, site: Site) -> bool:
    """Whether a filter by resource or by type names any of ours."""
    return all(
        any(site.owns("ec2.DescribeTags", {"Filters": [{**one, "Values": [value]}]}) for value in one.get("Values", ()))
        for one in filters
        if one.get("Name") in {"resource-type", "resource-id"}
    )


def _rewritten(request: Request, operation: str, params: Params) -> Request:
    """The request with other parameters, as botocore would have sent it."""
    model = ec2_dialect().model.operation_model(operation)
    form: Any = create_serializer("ec2", include_validation=False).serialize_to_request(dict(params), model)["body"]
    return replace(request, body=urlencode(form).encode())


def _read(reply: Reply, operation: str) -> dict[str, Any]:
    """What botocore would read from moto's reply. Raises ApiError if it is a refusal."""
    shape: Any = ec2_dialect().model.operation_model(operation).output_shape
    response = {"body": reply.body, "headers": dict(reply.headers), "status_code": reply.status}
    parsed: dict[str, Any] = create_parser("ec2").parse(response, shape)
    parsed.pop("ResponseMetadata", None)
    if reply.status >= 300:
        error = parsed.get("Error", {})
        raise ApiError(error.get("Code", "InternalError"), error.get("Message", ""), reply.status)
    return parsed
