"""What can go wrong, and who can do something about it.

```
SpotwardError
├── ConfigError      the user must change a file       (file, line, column)
│   ├── ConfigErrors all that must be changed          (errors)
│   └── LeaseHeld    another process has the journal
├── PayloadError     the sender sent something unreadable: set it aside, go on
├── StaleLease       another process took it from us: stop at once
└── OutsideError     AWS, Kubernetes or a plugin       (code)
    ├── Transient    try again                         (retry_after_seconds)
    └── Permanent    trying again cannot help
```

A message is for a person and ends with the next step.
"""

from collections.abc import Sequence


class SpotwardError(Exception):
    """Anything that Spotward itself reports."""


class ConfigError(SpotwardError):
    """A file or an option must be changed by the user; the text begins with the place.

    setting: the dotted name of the one that is wrong, for whoever knows where in the file it stands.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        setting: str | None = None,
    ) -> None:
        self.file, self.line, self.column, self.setting = file, line, column, setting
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)


class ConfigErrors(ConfigError):  # noqa: N818 - several errors, each of which has the suffix
    """Everything that is wrong with a file, told at once: the text has a line for each."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__("\n".join(str(each) for each in self.errors))
        self.file, self.line, self.column, self.setting = first.file, first.line, first.column, first.setting


class PayloadError(SpotwardError):
    """Somebody sent a text that cannot be read: it is counted and set aside, and the loop goes on."""


class LeaseHeld(ConfigError):  # noqa: N818 - it says how things are, and reads as that
    """Another process has the journal: stop it, or use another journal. The text names the process."""


class StaleLease(SpotwardError):  # noqa: N818 - it says how things are, and reads as that
    """Somebody else was given the lease since: nothing was written, and this process must not act any more."""


class OutsideError(SpotwardError):
    """AWS, Kubernetes or a plugin could not do what it was asked; `code` is its own word for why."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class Transient(OutsideError):  # noqa: N818 - named for what it tells the caller
    """Trying again later may help."""

    def __init__(self, message: str, *, code: str, retry_after_seconds: float = 0.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, code=code)


class Permanent(OutsideError):  # noqa: N818 - named for what it tells the caller
    """Trying again cannot help until somebody changes something."""
