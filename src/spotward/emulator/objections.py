"""How each service words what is wrong with a request's form, as AWS does it."""

from __future__ import annotations

from spotward.sim.errors import ApiError

_SHOWN_MAX = 100
"""Characters of a wrong value that a message repeats."""


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."


class Ec2Objections:
    """EC2: `MissingParameter`, `InvalidParameterValue`, `UnknownParameter`."""

    def missing(self, place: str) -> ApiError:
        """See `Objections`."""
        return ApiError("MissingParameter", f"The request must contain the parameter {place}")

    def malformed(self, place: str, value: object, expected: str) -> ApiError:
        """See `Objections`."""
        message = f"Value ({_shown(value)}) for parameter {place} is invalid. Expected: {expected}."
        return ApiError("InvalidParameterValue", message)

    def unknown(self, place: str) -> ApiError | None:
        """See `Objections`."""
        return ApiError("UnknownParameter", f"The parameter {place} is not recognized")


class QueryObjections:
    """Auto Scaling and the load balancers: everything is a `ValidationError`."""

    def missing(self, place: str) -> ApiError:
        """See `Objections`."""
        at = _camel(place)
        words = f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
        return ApiError("ValidationError", f"1 validation error detected: {words}")

    def malformed(self, place: str, value: object, expected: str) -> ApiError:
        """See `Objections`."""
        return ApiError("ValidationError", f"Value '{_shown(value)}' at '{_camel(place)}' must be {expected}")

    def unknown(self, place: str) -> ApiError | None:  # noqa: ARG002 - what is not known is not looked at
        """These services ignore what they do not know."""
        return None


class SqsFormObjections:
    """SQS in the query protocol."""

    def missing(self, place: str) -> ApiError:
        """See `Objections`."""
        return ApiError("MissingParameter", f"The request must contain the parameter {place}.")

    def malformed(self, place: str, value: object, expected: str) -> ApiError:
        """See `Objections`."""
        message = f"Value {_shown(value)} for parameter {place} is invalid. Reason: Must be {expected}."
        return ApiError("InvalidParameterValue", message)

    def unknown(self, place: str) -> ApiError | None:  # noqa: ARG002 - what is not known is not looked at
        """SQS ignores what it does not know."""
        return None


class JsonObjections:
    """The JSON services: what cannot be read is a `SerializationException`."""

    def __init__(self, *, missing_code: str) -> None:
        """`missing_code`: the service's own code for a parameter that is not there."""
        self._missing_code = missing_code

    def missing(self, place: str) -> ApiError:
        """See `Objections`."""
        return ApiError(self._missing_code, f"The request must contain the parameter {place}.")

    def malformed(self, place: str, value: object, expected: str) -> ApiError:
        """See `Objections`."""
        return ApiError("SerializationException", f"{_shown(value)} at {place} cannot be read as {expected}")

    def unknown(self, place: str) -> ApiError | None:  # noqa: ARG002 - what is not known is not looked at
        """These services ignore what they do not know."""
        return None


def _camel(place: str) -> str:
    """AWS's validation names members in camel case: `AutoScalingGroupName` -> `autoScalingGroupName`."""
    return ".".join(part[:1].lower() + part[1:] for part in place.split("."))
