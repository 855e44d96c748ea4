import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spotward.plugins.wire import cloudevents_pb2 as _cloudevents_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Description(_message.Message):
    __slots__ = ("name", "version", "about", "event_types", "properties_schema", "idempotent")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    about: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    properties_schema: str
    idempotent: bool
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., about: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., properties_schema: _Optional[str] = ..., idempotent: _Optional[bool] = ...) -> None: ...

class ValidateRequest(_message.Message):
    __slots__ = ("properties",)
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    properties: _struct_pb2.Struct
    def __init__(self, properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Validation(_message.Message):
    __slots__ = ("problems",)
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("place", "text")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    place: str
    text: str
    def __init__(self, place: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class HandleRequest(_message.Message):
    __slots__ = ("idempotency_key", "event", "properties", "flow", "step", "attempt", "earlier", "happens", "dry_run")
    class EarlierEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Result
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Result, _Mapping]] = ...) -> None: ...
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    HAPPENS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    event: _cloudevents_pb2.CloudEvent
    properties: _struct_pb2.Struct
    flow: str
    step: str
    attempt: int
    earlier: _containers.MessageMap[str, Result]
    happens: _timestamp_pb2.Timestamp
    dry_run: bool
    def __init__(self, idempotency_key: _Optional[str] = ..., event: _Optional[_Union[_cloudevents_pb2.CloudEvent, _Mapping]] = ..., properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., flow: _Optional[str] = ..., step: _Optional[str] = ..., attempt: _Optional[int] = ..., earlier: _Optional[_Mapping[str, Result]] = ..., happens: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class HandleResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    result: Result
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("text", "fraction")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    text: str
    fraction: float
    def __init__(self, text: _Optional[str] = ..., fraction: _Optional[float] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("status", "text", "output", "retry_after_seconds")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Result.Status]
        STATUS_DONE: _ClassVar[Result.Status]
        STATUS_IGNORED: _ClassVar[Result.Status]
        STATUS_FAILED: _ClassVar[Result.Status]
        STATUS_REFUSED: _ClassVar[Result.Status]
    STATUS_UNSPECIFIED: Result.Status
    STATUS_DONE: Result.Status
    STATUS_IGNORED: Result.Status
    STATUS_FAILED: Result.Status
    STATUS_REFUSED: Result.Status
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    status: Result.Status
    text: str
    output: _struct_pb2.Struct
    retry_after_seconds: float
    def __init__(self, status: _Optional[_Union[Result.Status, str]] = ..., text: _Optional[str] = ..., output: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., retry_after_seconds: _Optional[float] = ...) -> None: ...
