"""Files that are renewed while we run."""

from pathlib import Path


def versions(files: tuple[Path, ...]) -> tuple[tuple[int, int, int], ...]:
    """Tells whether files were renewed, also where a link is moved, as Kubernetes does it. Raises OSError."""
    return tuple((s.st_mtime_ns, s.st_size, s.st_ino) for s in (file.stat() for file in files))
