"""`spotward plugin new`: a project of one's own, made of the example of its language with another name in it.

The examples are the templates: what is tested as an example works as the beginning of a project.
"""

import keyword
import re
import sys
from argparse import Namespace
from pathlib import Path

from spotward.cli.exits import Exit
from spotward.model.errors import ConfigError

EXAMPLE_NAME = "say-hello"

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_CHARACTERS_MAX = 40

FIRST_STEPS = {
    "python": ("pip install -e '.[test]'", "pytest"),
    "go": ("go test ./...", "go build"),
}

MADE_BY_TOOLS = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".venv"})
"""What a checkout's example may hold besides."""


def new(asked: Namespace) -> int:
    """Write the project, and say what comes next. Raises ConfigError."""
    name = _checked(asked.name)
    folder = asked.directory or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already and not empty; give another with --directory")
    template = template_of(asked.language)
    try:
        for file in sorted(each for each in template.rglob("*") if each.is_file()):
            if not MADE_BY_TOOLS & set(file.parts):
                _write(file, folder / _renamed(str(file.relative_to(template)), name), name)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}; give another with --directory") from error
    steps = "\n".join(f"  {step}" for step in (f"cd {folder}", *FIRST_STEPS[asked.language]))
    sys.stdout.write(f"{name} is in {folder}. README.md says how to run it; to begin:\n\n{steps}\n")
    return Exit.DONE


def template_of(language: str) -> Path:
    """The example of a language: in the package that was installed, or in the checkout that this runs from."""
    installed = Path(__file__).with_name("plugin_examples") / language
    return installed if installed.is_dir() else Path(__file__).parents[3] / "examples" / "plugins" / language


def _write(template: Path, file: Path, name: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_renamed(template.read_text(encoding="utf-8"), name), encoding="utf-8")


def _renamed(text: str, name: str) -> str:
    for written in (str, _snake, _camel):
        text = text.replace(written(EXAMPLE_NAME), written(name))
    return text


def _snake(name: str) -> str:
    return name.replace("-", "_")


def _camel(name: str) -> str:
    first, *others = name.split("-")
    return first + "".join(other.title() for other in others)


def _checked(name: str) -> str:
    """Raises ConfigError for a name that cannot be that of a plugin, a package and a module."""
    if not NAME.fullmatch(name) or len(name) > NAME_CHARACTERS_MAX:
        raise ConfigError(
            f"{name!r} cannot be a plugin's name; give lowercase letters, digits and hyphens, at most "
            f"{NAME_CHARACTERS_MAX}, such as tidy-up"
        )
    module = _snake(name)
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in ("spotward", "pytest", "wire"):
        raise ConfigError(f"`{module}` means something else already; give another name, such as {name}-plugin")
    return name
