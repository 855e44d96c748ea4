"""The metadata service's manners: tokens, versions, statuses, and the ways in which a drill lets it fail.

As AWS's user guide has it ("Use IMDSv2"): a token is asked for with PUT and a lifetime of 1 s to 6 h, and goes with
every request; a bad one is 401 even where none is needed; the answer to a request with a token tells how long it is
still good; a PUT that came through a proxy is refused. Errors are pages, the content is plain text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from spotward.emulator.imds.metadata import Machines
from spotward.emulator.imds.timeline import TOKEN, Fail, Timeline
from spotward.emulator.imds.tokens import TTL_SECONDS_MAX, Tokens
from spotward.emulator.imds.tree import META, documents, listing
from spotward.http.values import Answer, Request, text_answer

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - the name of a path, not a secret
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - the name of a header, not a secret

PATHS_COUNTED_MAX = 1_000
"""So many paths are counted each by itself; what else is asked for counts as `others`."""

VERSION = re.compile(r"latest|1\.0|20\d\d-\d\d-\d\d")

_OF_AN_INSTANCE = re.compile(r"/(i-[0-9A-Za-z-]{1,40})(/.*)?")

_WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

GARBAGE = b"\x16\x03\x01 this is no HTTP\r\n\r\n"
MALFORMED = "<html><body>Please log in to continue</body></html>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a client gets: after a delay an answer, or bytes that are none, or nothing at all."""

    answer: Answer | bytes | None
    delay_seconds: float = 0.0


@dataclass(kw_only=True, slots=True)
class MetadataService:
    """Answers requests about the machines. Not safe for threads."""

    machines: Machines
    drill: Timeline | None = None
    """Where failures are scripted. None: nothing fails."""
    v1: bool = True
    """Whether a request without a token is answered."""
    tokens: Tokens = field(default_factory=Tokens)
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(path, status) → how many; the status of what was not answered is 0."""
    _keys_changed: int = 0
    _failed: Counter[Fail] = field(default_factory=Counter)

    def answer(self, request: Request, *, time: float, instance_id: str | None = None) -> Outcome:
        """What happens to a request that came at `time` (Unix seconds).

        instance_id: whose door it came to, where that is known; a path may name it, too (`/i-1/latest/…`).
        """
        path = request.path
        if (named := _OF_AN_INSTANCE.fullmatch(path)) is not None:
            instance_id, path = named[1], named[2] or "/"
        self._forget_tokens_when_due(time)
        outcome = self._outcome(replace(request, target=path), instance_id, time)
        status = outcome.answer.status if isinstance(outcome.answer, Answer) else 0
        known = len(self.requests) < PATHS_COUNTED_MAX or (path, status) in self.requests
        self.requests[path if known else "others", status] += 1
        return outcome

    def _forget_tokens_when_due(self, time: float) -> None:
        changed = self.drill.keys_changed(time=time) if self.drill is not None else 0
        if changed > self._keys_changed:
            self._keys_changed = changed
            self.tokens.forget()

    def _outcome(self, request: Request, instance_id: str | None, time: float) -> Outcome:
        fault = self._fault(TOKEN if request.path == TOKEN_PATH else _below_meta_data(request.path), time)
        if fault is None or fault.delay_seconds:
            answer = self._rightly(request, instance_id, time)
            return Outcome(answer=answer, delay_seconds=fault.delay_seconds if fault else 0.0)
        if fault.status is not None:
            return Outcome(answer=_page(fault.status))
        if fault.malformed:
            return Outcome(answer=text_answer(200, MALFORMED, content_type="text/html"))
        return Outcome(answer=GARBAGE if fault.garbage else None)

    def _fault(self, path: str, time: float) -> Fail | None:
        for fault in self.drill.fails(path, time=time) if self.drill is not None else ():
            if fault.times is None or self._failed[fault] < fault.times:
                self._failed[fault] += 1
                return fault
        return None

    # ---- as it should be ---------------------------------------------------------------------------------------------

    def _rightly(self, request: Request, instance_id: str | None, time: float) -> Answer:
        metadata = self.machines.metadata(instance_id, time=time)
        if metadata is None:
            return _page(503)  # on EC2 nobody would answer at all; 404 would say that a notice was taken back
        if request.path == TOKEN_PATH:
            return self._token(request, instance_id or "", time)
        if request.method not in {"GET", "HEAD"}:
            return _page(405, {"allow": "GET, HEAD"})
        token = request.headers.get(TOKEN_HEADER)
        left = None if token is None else self.tokens.seconds_left(instance_id or "", token, time=time)
        if left is None and (token is not None or not self.v1 or metadata.host.token_required):
            return _page(401)
        text = _text(request.path, lambda: documents(metadata, time=time))
        return _page(404) if text is None else _plain(text, {} if left is None else {TTL_HEADER: str(left)})

    def _token(self, request: Request, subject: str, time: float) -> Answer:
        if request.method != "PUT":
            return _page(405, {"allow": "OPTIONS, PUT"})
        if "x-forwarded-for" in request.headers:
            return _page(403)
        stated = request.headers.get(TTL_HEADER, "")
        if not re.fullmatch(r"\d{1,5}", stated) or not 1 <= int(stated) <= TTL_SECONDS_MAX:
            return _page(400)
        return _plain(self.tokens.make(subject, int(stated), time=time), {TTL_HEADER: stated})

    def summary(self) -> Sequence[Mapping[str, object]]:
        """The requests so far."""
        return [{"path": path, "status": status, "requests": n} for (path, status), n in sorted(self.requests.items())]


def _text(path: str, found: Callable[[], Mapping[str, str]]) -> str | None:
    version, _, rest = path.strip("/").partition("/")
    if not version:
        return "1.0\nlatest"
    if VERSION.fullmatch(version) is None:
        return None
    every = found()
    exact = every.get(rest)
    return listing(every, rest) if exact is None or path.endswith("/") else exact


def _below_meta_data(path: str) -> str:
    _, _, rest = path.strip("/").partition("/")
    return rest.removeprefix(META)


def _plain(text: str, headers: Mapping[str, str]) -> Answer:
    return Answer(status=200, body=text.encode(), headers={"content-type": "text/plain", **headers})


def _page(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """An error, as the page that the service sends."""
    words = f"{status} - {_WORDS.get(status, 'Error')}"
    page = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{words}</title>\n </head>\n <body>\n  <h1>{words}</h1>\n </body>\n</html>\n"
    )
    return Answer(status=status, body=page.encode(), headers={"content-type": "text/html", **(headers or {})})


def as_json(content: object) -> Answer:
    """A page of ours."""
    return text_answer(200, json.dumps(content, indent=1) + "\n", content_type="application/json")
