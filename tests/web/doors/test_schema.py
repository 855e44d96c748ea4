"""The doors keep to their own OpenAPI document, whatever they are sent: Schemathesis finds no fault in them.

The same examples each time, so that a run finds what the last one found.
"""

from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError
from spotward.model.flow_event import FlowEvent
from spotward.web.doors.app import build
from spotward.web.doors.document import LOCKED, SCHEMES
from spotward.web.doors.letterbox import Letterbox
from tests.web.doors.test_doors import TOKEN

EXAMPLES = 60
"""For each door."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Taken(Letterbox):
    """Everything is stored at once."""

    async def put(self, said: object) -> None:
        del said


async def no_such_flow(key: str, what: str) -> FlowEvent:
    raise ConfigError(f"no flow is called {key!r} that one could {what}")


def application() -> FastAPI:
    return build(Taken(), SystemClock(), lambda shown: shown == f"Bearer {TOKEN}", word=no_such_flow)


AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
schema = schemathesis.openapi.from_asgi("/openapi.json", application(), headers=AUTHORIZED)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
def test_schemathesis_finds_no_fault_in_the_doors(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(checks=CHECKS, headers=AUTHORIZED)


def test_the_document_says_which_doors_are_locked_and_what_opens_them() -> None:
    document = application().openapi()
    assert document["components"]["securitySchemes"] == SCHEMES
    locked = {path for path, item in document["paths"].items() for each in item.values() if each.get("security")}
    assert locked == set(document["paths"]) - {"/healthz"}
    assert set(LOCKED["security"][0]) <= set(SCHEMES)
