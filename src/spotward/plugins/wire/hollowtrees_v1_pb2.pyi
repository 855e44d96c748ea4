from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Resource(_message.Message):
    __slots__ = ("resourceType", "resourceId")
    RESOURCETYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCEID_FIELD_NUMBER: _ClassVar[int]
    resourceType: str
    resourceId: str
    def __init__(self, resourceType: _Optional[str] = ..., resourceId: _Optional[str] = ...) -> None: ...

class AlertEvent(_message.Message):
    __slots__ = ("eventId", "eventType", "resource", "data")
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENTID_FIELD_NUMBER: _ClassVar[int]
    EVENTTYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    eventId: str
    eventType: str
    resource: Resource
    data: _containers.ScalarMap[str, str]
    def __init__(self, eventId: _Optional[str] = ..., eventType: _Optional[str] = ..., resource: _Optional[_Union[Resource, _Mapping]] = ..., data: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ActionResult(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: str
    def __init__(self, status: _Optional[str] = ...) -> None: ...
