"""SQS in both of its protocols: JSON, and the query protocol that older SDKs speak to it.

botocore's model describes only the JSON form. The old names are few and regular, so they are laid over that model here:
lists and maps are flattened and called by what they hold (`AttributeName.1`, `Attribute.1.Name`), and every answer
is wrapped in a `...Result`. Source: the examples of the SQS API Reference.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from botocore.loaders import Loader
from botocore.model import ServiceModel

from spotward.emulator.dialect import JsonDialect, QueryDialect, load_model
from spotward.emulator.objections import JsonObjections, SqsFormObjections
from spotward.emulator.queues.sqs import QUERY_CODES
from spotward.emulator.wire import Reply, Request
from spotward.sim.errors import ApiError

_ITEMS = {
    "ActionNameList": "ActionName",
    "AWSAccountIdList": "AWSAccountId",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
"""List -> what each of its items is called."""

_ENTRIES = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}
"""Map -> what its entries are called, and in them the key and the value."""


def query_model() -> ServiceModel:
    """SQS as the query protocol knows it."""
    raw: dict[str, Any] = copy.deepcopy(dict(Loader().load_service_model("sqs", "service-2")))
    raw["metadata"] |= {"protocol": "query", "xmlNamespace": "http://queue.amazonaws.com/doc/2012-11-05/"}
    for shape, item in _ITEMS.items():
        raw["shapes"][shape]["member"]["locationName"] = item
        raw["shapes"][shape]["flattened"] = True
    for shape, (entry, key, value) in _ENTRIES.items():
        raw["shapes"][shape] |= {"flattened": True, "locationName": entry}
        raw["shapes"][shape]["key"]["locationName"] = key
        raw["shapes"][shape]["value"]["locationName"] = value
    for name, operation in raw["operations"].items():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{name}Result"
    return ServiceModel(raw, "sqs")


class _SqsQueryDialect(QueryDialect):
    """The queue's URL may be the request's own path, as oldest of all."""

    def parameters(self, operation: str, request: Request) -> dict[str, Any]:
        """See `Dialect`."""
        if request.path.count("/") >= 2 and b"QueueUrl=" not in request.body:
            body = (request.body or request.query.encode()) + f"&QueueUrl={quote(request.path)}".encode()
            request = replace(request, body=body)
        return super().parameters(operation, request)

    def fault(self, error: ApiError, request_id: str) -> Reply:
        """With the code that it had in this protocol."""
        code = QUERY_CODES.get(error.code, error.code)
        return super().fault(ApiError(code, error.message, error.status), request_id)


def sqs_in_json() -> JsonDialect:
    """SQS as today's SDKs speak to it."""
    objections = JsonObjections(missing_code="MissingParameter")
    return JsonDialect(load_model("sqs"), objections, error_namespace="com.amazonaws.sqs#", query_codes=QUERY_CODES)


def sqs_in_forms() -> QueryDialect:
    """SQS as SDKs spoke to it until 2023."""
    return _SqsQueryDialect(query_model(), SqsFormObjections())
