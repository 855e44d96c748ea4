"""The settings: what a file may say, how a mistake in it reads, and that the reference lists them all."""

from pathlib import Path

import pytest

from spotward.cli.chosen import chosen
from spotward.config import Config, changed, load, parse, settings
from spotward.model.errors import ConfigError

ROOT = Path(__file__).parents[2]


def test_no_file_is_needed() -> None:
    assert load(None) == Config()


@pytest.mark.parametrize("file", sorted((ROOT / "examples/configurations").glob("*.yaml")), ids=lambda f: f.name)
def test_every_example_is_right(file: Path) -> None:
    assert load(file) != Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regons: [eu-west-1]", "f.yaml:1:1: unknown setting `regons`; did you mean `regions`?"),
        ("web:\n  prt: 1", "f.yaml:2:3: unknown setting `web.prt`; did you mean `port`?"),
        (
            "groups:\n  margin_percentag: 1",
            "unknown setting `groups.margin_percentag`; did you mean `margin_percentage`?",
        ),
        ("web:\n  port: 70000", "f.yaml:2:3: `web.port` is 70000: Input should be less than or equal to 65535"),
        ("groups:\n  defaults:\n    surge_percentage: 0", "f.yaml:2:3: the surge percentage is 0; give 1 to 100"),
        ("groups:\n  batch_max: 9\n  look_seconds: 0", "f.yaml:3:3: `look_seconds` is 0; give a number from 1 up"),
        ("groups: {margin_percentage: -1}", "f.yaml:1:10: `margin_percentage` is -1; give a number from 0 up"),
        ("observe_seconds: .inf", "f.yaml:1:1: `observe_seconds` is inf: Input should be a finite number"),
        ("regions: eu-west-1", "f.yaml:1:1: `regions` is 'eu-west-1'; give a list, such as [a, b]"),
        ("groups: [", "f.yaml:1:10: this is not YAML"),
        ("- a", "f.yaml:1:1: the file must be a mapping"),
        (
            "flows: {notify: {hook: {kind: webhook, address: 'http://x/SECRET'}}}",
            "`flows.notify.hook.webhook.url` is a mapping of `kind`, `address`: Field required",
        ),
        ("web: 3", "f.yaml:1:1: `web` is 3; give settings, each on a line of its own below it"),
        ("groups: 3", "f.yaml:1:1: `groups` is 3; give settings, each on a line of its own below it"),
        ("a: \t b", "this is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, file="f.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("setting", [each.name for each in settings()])
@pytest.mark.parametrize("number", ["-1", ".nan", "-.inf"])
def test_no_setting_takes_a_number_that_makes_no_sense(setting: str, number: str) -> None:
    *sections, name = setting.split(".")
    text = "".join(f"{'  ' * depth}{section}:\n" for depth, section in enumerate(sections))
    with pytest.raises(ConfigError):
        parse(f"{text}{'  ' * len(sections)}{name}: {number}", file="f")


def test_the_command_line_wins_over_the_file() -> None:
    config = parse("regions: [eu-west-1]\nobserve_seconds: 5", file="f.yaml")
    assert changed(config, regions=("us-east-1",), queue=None).regions == ("us-east-1",)
    assert changed(config, regions=None).observe_seconds == 5


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--web\.port"):
        changed(Config(), web={"port": -1})


def test_compat_opens_the_scope_to_autospottings_tags_and_nothing_else_does() -> None:
    assert not Config().groups_policy.compat_autospotting
    assert parse("compat: {autospotting: true}", file="f").groups_policy.compat_autospotting
    assert chosen(None, autospotting=True).groups_policy.compat_autospotting
    assert not chosen(None).groups_policy.compat_autospotting


def test_the_reference_lists_every_setting_as_it_is() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()
    for each in settings():
        assert f"| `{each.name}` | `{each.default}` | {each.meaning} |" in page
    assert page.count("\n| `") == len(settings())
