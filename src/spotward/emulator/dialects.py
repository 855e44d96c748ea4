"""Which service a request is for, and how that one is spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from spotward.emulator.dialect import Dialect, Ec2Dialect, JsonDialect, QueryDialect, load_model
from spotward.emulator.documents import error_document
from spotward.emulator.markup import HEADER, element, escape
from spotward.emulator.objections import Ec2Objections, JsonObjections, QueryObjections
from spotward.emulator.sqs_dialect import sqs_in_forms, sqs_in_json
from spotward.emulator.wire import Reply, Request
from spotward.sim.errors import ApiError

_ELB_V2_VERSION = b"Version=2015-12-01"


@cache
def ec2_dialect() -> Ec2Dialect:
    """EC2; made at the first use, because its model is large."""
    return Ec2Dialect(load_model("ec2"), Ec2Objections())


_MAKERS: Mapping[str, Callable[[], Dialect]] = {
    "autoscaling": lambda: QueryDialect(load_model("autoscaling"), QueryObjections()),
    "ec2": ec2_dialect,
    "elb": lambda: QueryDialect(load_model("elb"), QueryObjections()),
    "elbv2": lambda: QueryDialect(load_model("elbv2"), QueryObjections()),
    "events": lambda: JsonDialect(load_model("events"), JsonObjections(missing_code="ValidationException")),
    "pricing": lambda: JsonDialect(load_model("pricing"), JsonObjections(missing_code="InvalidParameterException")),
    "sqs": sqs_in_json,
    "sqs-forms": sqs_in_forms,
}


@cache
def dialect(name: str) -> Dialect:
    """One of the services that are understood here; made at the first use."""
    return _MAKERS[name]()


def dialect_of(request: Request, signing_name: str) -> Dialect | None:
    """How the service of a request is spoken; None for services that only moto knows."""
    match signing_name:
        case "elasticloadbalancing":
            return dialect("elbv2" if _ELB_V2_VERSION in (request.body or request.query.encode()) else "elb")
        case "sqs":
            return dialect("sqs" if "x-amz-target" in request.headers else "sqs-forms")
        case "autoscaling" | "ec2" | "events" | "pricing":
            return dialect(signing_name)
        case _:
            return None


def plain_fault(request: Request, error: ApiError, request_id: str) -> Reply:
    """An error for a service whose dialect is not known: JSON to who speaks JSON, XML to all others."""
    headers = {"x-amzn-requestid": request_id}
    if request.target is not None or "json" in request.headers.get("content-type", ""):
        body = error_document(error, "")
        return Reply(status=error.status, body=body, content_type="application/x-amz-json-1.1", headers=headers)
    words = element("Code", escape(error.code)) + element("Message", escape(error.message))
    document = element("ErrorResponse", element("Error", words) + element("RequestId", request_id))
    return Reply(status=error.status, body=(HEADER + document).encode(), content_type="text/xml", headers=headers)


def wrong_region(service: str, region: str) -> ApiError:
    """What AWS says to a signature for a region that it has not: each kind of service in its own way."""
    words = f"Credential should be scoped to a valid region, not '{region[:50]}'."
    if service == "ec2":
        words = f"AWS was not able to validate the provided access credentials. {words}"
        return ApiError("AuthFailure", words, 401)
    if service in {"events", "pricing", "sqs"}:
        return ApiError("InvalidSignatureException", words, 400)
    return ApiError("SignatureDoesNotMatch", words, 403)
