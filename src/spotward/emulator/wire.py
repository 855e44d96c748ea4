"""What comes in at the door and what goes out of it, before anybody has understood it.

An AWS request names its service and region twice: in the host name and in the credential scope of its signature. Behind
AWS_ENDPOINT_URL the host name is ours, so the scope is all there is:
`Credential=AKIA.../20261122/us-east-1/ec2/aws4_request`. The signature itself is not verified: there is no secret here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

UNSIGNED = "anonymous"
"""The access key of a request without a signature."""

_SCOPE = re.compile(r"Credential=([^/\s,]+)/\d{8}/([^/\s,]+)/([^/\s,]+)/aws4_request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Who asks, of which service, in which region: the credential scope of a signature (version 4)."""

    access_key: str
    region: str
    service: str
    """The signing name: `elasticloadbalancing` stands for both generations of load balancers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, read to its end. Header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def credential(self) -> Credential | None:
        """Of the Authorization header, or of a presigned URL; None if the request is not signed."""
        scope = self.headers.get("authorization", "")
        if "X-Amz-Credential=" in self.query:
            scope = "Credential=" + unquote(parse_qs(self.query)["X-Amz-Credential"][0])
        found = _SCOPE.search(scope)
        if found is None:
            return None
        return Credential(access_key=found[1], region=found[2], service=found[3].lower())

    @property
    def target(self) -> tuple[str, str] | None:
        """`(AmazonSQS, SendMessage)` of a JSON request's X-Amz-Target header."""
        prefix, dot, operation = self.headers.get("x-amz-target", "").rpartition(".")
        return (prefix, operation) if dot else None

    @property
    def is_form(self) -> bool:
        """Whether the body is a form, as in the query protocols."""
        return self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
