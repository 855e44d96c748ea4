"""A fresh checkout sets itself up, and the base install needs nothing of the embedded cloud."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.test_style import CHECKOUT, tracked

INSTALL_SECONDS_MAX = 300


def run(*words: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """What git knows, as it stands now, somewhere else."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout: which files are ours cannot be told")
    for file in tracked():
        copy = tmp_path / "checkout" / file.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    return tmp_path / "checkout"


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_SECONDS_MAX)
def test_a_fresh_checkout_makes_its_own_environment_and_only_once(fresh: Path) -> None:
    run("make", ".venv/.ready", cwd=fresh)
    assert "Usage" in run(".venv/bin/spotward", "--help", cwd=fresh)
    assert "up to date" in run("make", ".venv/.ready", cwd=fresh)


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_SECONDS_MAX)
def test_the_base_install_starts_without_the_embedded_cloud(fresh: Path) -> None:
    uv, python = Path(sys.executable).with_name("uv"), fresh / "base" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, "base", cwd=fresh)
    run(uv, "pip", "install", "--quiet", "--python", python, "--constraint", "requirements.txt", ".", cwd=fresh)
    installed = run(uv, "pip", "list", "--python", python, cwd=fresh)
    assert "moto" not in installed
    for command in ("run", "plan", "status", "explain"):
        assert "Usage" in run(python.with_name("spotward"), command, "--help", cwd=fresh)
    (fresh / "traces.yaml").write_text("traces: {endpoint: 'http://127.0.0.1:4318/v1/traces'}\n")
    words = [str(python.with_name("spotward")), "run", "--config", "traces.yaml"]
    refused = subprocess.run(words, cwd=fresh, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "pip install 'spotward[otel]'" in refused.stderr
    for language in ("python", "go"):
        run(python.with_name("spotward"), "plugin", "new", f"in-{language}", "--language", language, cwd=fresh)
        assert (fresh / f"in-{language}" / "README.md").is_file(), "the examples are in the package"


def test_without_a_suitable_python_make_says_what_to_do(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy(CHECKOUT / name, tmp_path)
    for tool in ("make", "bash", "awk"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or pytest.skip(f"no {tool} here"))
    done = subprocess.run(
        ["make", ".venv/.ready"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer and found none" in done.stderr
    assert not (tmp_path / ".venv").exists()
