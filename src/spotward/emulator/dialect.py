"""The three ways in which AWS's services are spoken to: EC2's query protocol, the plain query protocol, and JSON.

A `Dialect` turns a `Request` into (operation, parameters as a boto3 user passes them), and an answer as boto3 returns
it, or an ApiError, into the `Reply` that botocore reads back as just that. All shapes come from botocore's own service
models, so a parameter that boto3 can send is understood, and only what boto3 could read is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

from spotward.emulator.documents import DocumentReader, DocumentWriter, error_document, parse_document
from spotward.emulator.forms import Ec2FormReader, FormReader, Objections, parse_form
from spotward.emulator.markup import HEADER, MarkupWriter, element, escape
from spotward.emulator.wire import Reply, Request
from spotward.sim.errors import ApiError

_XML = "text/xml;charset=UTF-8"

_ENVELOPE = frozenset(
    {
        "Action", "Version", "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SecurityToken",
        "Timestamp", "Expires", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
        "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token",
    }
)  # fmt: skip
"""Fields of a form that say how it is sent, not what is asked."""


class Dialect(Protocol):
    """One service, as it is spoken."""

    @property
    def service(self) -> str:
        """boto3's name of the service."""

    def operation(self, request: Request) -> str | None:
        """The operation that the request names, if the service has it."""

    def unknown_operation(self, request: Request) -> ApiError:
        """What is said if it names none."""

    def parameters(self, operation: str, request: Request) -> dict[str, Any]:
        """What is asked, as boto3's user would pass it. Raises ApiError."""

    def answer(self, operation: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        """The reply that boto3 reads as `answer`."""

    def fault(self, error: ApiError, request_id: str) -> Reply:
        """The reply that boto3 raises as a ClientError with the error's code, message and status."""


def load_model(service: str) -> ServiceModel:
    """The description that botocore has of a service."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


class QueryDialect:
    """The query protocol: a form in, XML out."""

    def __init__(self, model: ServiceModel, objections: Objections) -> None:
        self.service = model.service_name
        self.model = model
        self._objections = objections
        self._operations = frozenset(model.operation_names)
        self._reader = self._make_reader()
        self._writer = MarkupWriter()
        self._namespace = model.metadata.get("xmlNamespace", "")

    def _make_reader(self) -> FormReader:
        return FormReader(self._objections)

    def operation(self, request: Request) -> str | None:
        """By the form's `Action`."""
        name = self._form(request).get("Action")
        return name if isinstance(name, str) and name in self._operations else None

    def unknown_operation(self, request: Request) -> ApiError:
        """See `Dialect`."""
        name = self._form(request).get("Action")
        if not isinstance(name, str):
            return ApiError("MissingAction", "The request is missing the parameter Action.")
        return ApiError("InvalidAction", f"The action {name[:100]} is not valid for this web service.")

    def parameters(self, operation: str, request: Request) -> dict[str, Any]:
        """See `Dialect`."""
        form = {name: part for name, part in self._form(request).items() if name not in _ENVELOPE}
        shape = self.model.operation_model(operation).input_shape
        found: dict[str, Any] = self._reader.reader(shape)(form, "") if shape is not None else {}
        return found

    def _form(self, request: Request) -> dict[str, Any]:
        text = request.body.decode("utf-8", "replace") if request.body else request.query
        return parse_form(text, self._objections)

    def answer(self, operation: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        """See `Dialect`."""
        of = self.model.operation_model(operation)
        body = HEADER + self._document(of, self._inside(of.output_shape, answer), request_id)
        return Reply(status=200, body=body.encode(), content_type=_XML, headers={"x-amzn-requestid": request_id})

    def _inside(self, shape: Shape | None, answer: Mapping[str, Any]) -> str:
        return self._writer.inside(shape)(answer) if shape is not None else ""

    def _document(self, of: OperationModel, inside: str, request_id: str) -> str:
        shape = of.output_shape
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        result = element(str(wrapper), inside) if wrapper else inside
        metadata = element("ResponseMetadata", element("RequestId", request_id))
        return f'<{of.name}Response xmlns="{self._namespace}">{result}{metadata}</{of.name}Response>'

    def fault(self, error: ApiError, request_id: str) -> Reply:
        """See `Dialect`."""
        body = HEADER + self._complaint(error, request_id)
        headers = {"x-amzn-requestid": request_id}
        return Reply(status=error.status, body=body.encode(), content_type=_XML, headers=headers)

    def _complaint(self, error: ApiError, request_id: str) -> str:
        words = element("Code", escape(error.code)) + element("Message", escape(error.message))
        side = element("Type", "Receiver" if error.status >= 500 else "Sender")
        content = element("Error", side + words) + element("RequestId", request_id)
        return f'<ErrorResponse xmlns="{self._namespace}">{content}</ErrorResponse>'


class Ec2Dialect(QueryDialect):
    """EC2's own query protocol: no wrapper around results, and errors in an envelope of their own."""

    def _make_reader(self) -> FormReader:
        return Ec2FormReader(self._objections)

    def _document(self, of: OperationModel, inside: str, request_id: str) -> str:
        content = element("requestId", request_id) + inside
        return f'<{of.name}Response xmlns="{self._namespace}">{content}</{of.name}Response>'

    def _complaint(self, error: ApiError, request_id: str) -> str:
        words = element("Code", escape(error.code)) + element("Message", escape(error.message))
        return element("Response", element("Errors", element("Error", words)) + element("RequestID", request_id))


class JsonDialect:
    """The JSON protocols 1.0 and 1.1."""

    def __init__(
        self,
        model: ServiceModel,
        objections: Objections,
        *,
        error_namespace: str = "",
        query_codes: Mapping[str, str] | None = None,
    ) -> None:
        """`query_codes`: error code -> what it was in the service's old query protocol, for services that moved."""
        self.service = model.service_name
        self.model = model
        self._objections = objections
        self._operations = frozenset(model.operation_names)
        self._reader = DocumentReader(objections)
        self._writer = DocumentWriter()
        self._error_namespace = error_namespace
        self._query_codes = query_codes
        self._content_type = f"application/x-amz-json-{model.metadata['jsonVersion']}"

    def operation(self, request: Request) -> str | None:
        """By the X-Amz-Target header."""
        target = request.target
        if target is None or target[0] != self.model.metadata["targetPrefix"]:
            return None
        return target[1] if target[1] in self._operations else None

    def unknown_operation(self, request: Request) -> ApiError:
        """See `Dialect`."""
        name = ".".join(request.target or ("", "nothing"))
        return ApiError("UnknownOperationException", f"{name[:100]} is not an operation of this service.")

    def parameters(self, operation: str, request: Request) -> dict[str, Any]:
        """See `Dialect`."""
        document = parse_document(request.body, self._objections)
        shape = self.model.operation_model(operation).input_shape
        found: dict[str, Any] = self._reader.read(shape, document) if shape is not None else {}
        return found

    def answer(self, operation: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        """See `Dialect`."""
        body = self._writer.body(self.model.operation_model(operation).output_shape, answer)
        headers = {"x-amzn-requestid": request_id}
        return Reply(status=200, body=body, content_type=self._content_type, headers=headers)

    def fault(self, error: ApiError, request_id: str) -> Reply:
        """See `Dialect`."""
        headers = {"x-amzn-requestid": request_id}
        if self._query_codes is not None:
            side = "Receiver" if error.status >= 500 else "Sender"
            headers["x-amzn-query-error"] = f"{self._query_codes.get(error.code, error.code)};{side}"
        body = error_document(error, self._error_namespace)
        return Reply(status=error.status, body=body, content_type=self._content_type, headers=headers)
