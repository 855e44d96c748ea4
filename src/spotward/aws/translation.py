"""AWS's errors in our words: who can do what about it.

Throttling, contention and an unreachable endpoint pass: `Transient`. A refusal stays until somebody changes something:
`Permanent`, and the text says what. An answer that never came, or that cannot be read, is `NoAnswer`: the call may have
been carried out, so whoever asked for a deed must look before asking again.

Codes are those of the API references ("Error codes for the Amazon EC2 API", "Common errors" of Auto Scaling and SQS).
No message repeats a parameter's value: values may be user data.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spotward.model.errors import OutsideError, Permanent, Transient

RETRY_AFTER_THROTTLED_SECONDS = 5.0
"""After throttling, and after botocore's own attempts: its token buckets refill within seconds."""

RETRY_AFTER_CONTENTION_SECONDS = 10.0
"""While a group has a scaling activity in progress, or somebody else changes it."""

RETRY_AFTER_NO_ANSWER_SECONDS = 2.0
"""After a time-out, a broken connection or a fault of AWS's own."""

RETRY_AFTER_CREDENTIALS_SECONDS = 60.0
"""Until somebody, or the machine, has renewed what ran out."""

MESSAGE_LENGTH_MAX = 400
"""AWS's own words are cut here: an encoded authorization failure may have thousands of characters."""

POLICY_FILE = "deploy/iam-policy.json"

FLOWS_POLICY_FILE = "deploy/iam-policy-flows.json"
OF_FLOWS = frozenset({"lambda", "sns"})
"""Services that only steps of rules ask; the rights for them are in a file of their own."""

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequestsException",
    }
)
"""Besides every code that has `Throttl` in it."""

CONTENTION = frozenset(
    {
        "ResourceContention",
        "ResourceInUse",
        "ScalingActivityInProgress",
        "ServiceLinkedRoleFailure",
    }
)
"""Also with `Fault` or `Exception` behind it."""

EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized"})
"""Besides every code that has `Unauthorized` in it."""

BAD_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)

OWN_FAULTS = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Unavailable",
    }
)

NO_CREDENTIALS = "no AWS credentials were found; set AWS_PROFILE, or run `aws configure`, or give the machine a role"

_NAMED_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")
_NAMED_PARAMETER = re.compile(r'parameter(?: in [\w.\[\]]+)?:? "?([\w.\[\]]+)')


class NoAnswer(Transient):
    """AWS may have carried the call out, although no answer came that says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call as an operator would look it up."""

    service: str
    """boto3's name: autoscaling"""
    operation: str
    """The API's name: AttachInstances"""
    region: str
    iam_prefix: str
    """The service's name in a policy: `elasticloadbalancing` for boto3's elbv2"""

    @property
    def words(self) -> str:
        """`autoscaling.AttachInstances in us-east-1`."""
        return f"{self.service}.{self.operation} in {self.region}"

    @property
    def iam_action(self) -> str:
        """`autoscaling:AttachInstances`; a batch call of SQS needs the permission of the single one."""
        operation = self.operation.removesuffix("Batch") if self.service == "sqs" else self.operation
        operation = "InvokeFunction" if (self.service, operation) == ("lambda", "Invoke") else operation
        return f"{self.iam_prefix}:{operation}"


@contextmanager
def reading(call: str) -> Iterator[None]:
    """Around the code that picks an answer apart: an answer of another shape becomes NoAnswer naming the call."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(call, error) from error


def unreadable(call: str, error: Exception) -> NoAnswer:
    """The answer came but is not what the API promises. It is not quoted: it may hold user data."""
    what = f"no {error}" if isinstance(error, KeyError) else type(error).__name__
    return NoAnswer(
        f"{call}: the answer cannot be read ({what}); if a proxy or an AWS_ENDPOINT_URL stands between, look there",
        code="UnreadableAnswer",
        retry_after_seconds=RETRY_AFTER_NO_ANSWER_SECONDS,
    )


def unsendable(call: str, error: Exception) -> Permanent:
    """No request could be made of what was given; nothing was sent."""
    return Permanent(f"{call}: no request can be made of it ({type(error).__name__}): a fault here", code="Unsendable")


def translated(error: Exception, call: Call, *, unknown: bool) -> OutsideError:
    """What botocore raised, in our words.

    unknown: one of the attempts behind it may have been carried out (a time-out, a broken connection, a fault).
    """
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    if isinstance(error, aws.ClientError):
        return _refusal(error.response, error.operation_name, call, unknown=unknown)
    if isinstance(error, ResponseParserError):
        return unreadable(call.words, error)
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        text = f"{shortened(str(error)).rstrip('.')}; check the network, and AWS_ENDPOINT_URL if it is set"
        return _transient(call, type(error).__name__, text, RETRY_AFTER_NO_ANSWER_SECONDS, unknown=unknown)
    if isinstance(error, aws.ParamValidationError):
        names = ", ".join(dict.fromkeys(_NAMED_PARAMETER.findall(str(error)))) or "a parameter"
        return Permanent(f"{call.words}: the request is not valid: {names}", code="ParamValidation")
    if isinstance(error, aws.CredentialRetrievalError | aws.MetadataRetrievalError):
        text = f"the credentials could not be fetched: {error}"
        return _transient(call, "CredentialRetrieval", text, RETRY_AFTER_CREDENTIALS_SECONDS, unknown=False)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return Permanent(f"{call.words}: {NO_CREDENTIALS}", code="NoCredentials")
    if isinstance(error, aws.BotoCoreError):
        text = shortened(str(error))
        return Permanent(
            f"{call.words}: {text}; check the AWS configuration and credentials", code=type(error).__name__
        )
    return unreadable(call.words, error)


def refused(call: Call, code: str, message: str) -> OutsideError:
    """A refusal that came inside an answer, as CreateFleet lists them."""
    return _refusal({"Error": {"Code": code, "Message": message}}, call.operation, call, unknown=False)


def shortened(text: str) -> str:
    """One line, and not longer than a person reads."""
    line = " ".join(text.split())
    if line.startswith("<"):
        return "a page of markup instead of an answer; if a proxy or an AWS_ENDPOINT_URL stands between, look there"
    return line if len(line) <= MESSAGE_LENGTH_MAX else line[:MESSAGE_LENGTH_MAX] + "…"


def is_definite(code: str) -> bool:
    """AWS said what it did not do, even if it said so with a status of 500 (EC2's capacity codes have that)."""
    return code.startswith("Insufficient") or "Throttl" in code or code in THROTTLED


def _refusal(response: Mapping[str, Any], operation: str, call: Call, *, unknown: bool) -> OutsideError:
    """AWS answered with an error."""
    code = str(response.get("Error", {}).get("Code") or "Unknown")
    text = str(response.get("Error", {}).get("Message") or "no message")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    asked = _wait_asked_for(response)
    bare = code.removeprefix("Client.").removeprefix("Server.").removesuffix("Fault").removesuffix("Exception")
    if "Throttl" in code or code in THROTTLED:
        return _transient(call, code, text, asked or RETRY_AFTER_THROTTLED_SECONDS, unknown=unknown)
    if bare in CONTENTION:
        return _transient(call, code, text, asked or RETRY_AFTER_CONTENTION_SECONDS, unknown=unknown)
    if code in EXPIRED:
        step = f"{text}; renew the credentials, and check the machine's clock"
        return _transient(call, code, step, RETRY_AFTER_CREDENTIALS_SECONDS, unknown=unknown)
    if bare in DENIED or code in DENIED or "Unauthorized" in code:
        return _denied(call, code, text, operation)
    if code in BAD_CREDENTIALS:
        step = f"check the credentials, and that the account has {call.region} enabled"
        return Permanent(f"{call.words}: {code}: {shortened(text)}; {step}", code=code)
    if code in OWN_FAULTS or status >= 500:
        return _transient(call, code, text, asked or RETRY_AFTER_NO_ANSWER_SECONDS, unknown=unknown)
    if unknown:
        return _transient(call, code, text, RETRY_AFTER_NO_ANSWER_SECONDS, unknown=True)
    return Permanent(f"{call.words}: {code}: {shortened(text)}", code=code)


def _denied(call: Call, code: str, text: str, operation: str) -> Permanent:
    """A permission is missing. AWS names it where the call implies another one's (ec2:RunInstances of a fleet)."""
    named = _NAMED_ACTION.search(text)
    own = call.iam_action if operation == call.operation else f"sts:{operation}"
    action = named[1] if named is not None else own
    return Permanent(
        f"{call.words}: access denied ({code}: {shortened(text)}); "
        f"add {action} to Spotward's policy (see {FLOWS_POLICY_FILE if call.service in OF_FLOWS else POLICY_FILE})",
        code=code,
    )


def _transient(call: Call, code: str, text: str, retry_after_seconds: float, *, unknown: bool) -> Transient:
    make = NoAnswer if unknown else Transient
    return make(f"{call.words}: {code}: {shortened(text)}", code=code, retry_after_seconds=retry_after_seconds)


def _wait_asked_for(response: Mapping[str, Any]) -> float | None:
    """The seconds of a `Retry-After` header, if AWS (or a proxy) sent one."""
    text = str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    return float(text) if text.isdecimal() else None
