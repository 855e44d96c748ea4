"""The form of a rules file: every key, what it may be, and what it means. The schema and the reference come from it."""

from spotward.model.hours import WEEK_DAYS
from spotward.model.plan import Comparison, Then
from spotward.rules.fields import ROOTS, STEPS
from spotward.rules.patterns import PATTERN_CHARACTERS_MAX
from spotward.rules.rulebook import CALLS_AT_ONCE_MAX
from spotward.rules.shapes import (
    Duration,
    Either,
    Field,
    Flag,
    Free,
    Many,
    Name,
    Named,
    Number,
    Record,
    Scalar,
    Schema,
    Shape,
    Text,
    Word,
)

RULES_MAX = 500
STEPS_MAX = 32
"""Of a chain, and of what follows one of its steps."""
EVENTS_MAX = 64
CONDITIONS_MAX = 32
OPERANDS_MAX = 256
GROUP_FIELDS_MAX = 8
PLUGINS_MAX = 200
SCHEDULES_MAX = 100

STEP_TIMEOUT_SECONDS_MAX = 4 * 3600.0
"""A call that takes longer is no step of a reaction: let the plugin begin it, and an event tell how it ended."""
RETRIES_MAX = 100
WAIT_SECONDS_MAX = 30 * 86_400.0
"""Of delays, cooldowns and repeats: a month."""

KINDS = ("grpc", "hollowtrees-v1", "hollowtrees-v2", "http", "lambda", "fn", "builtin")

NAME = Name(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "a name of letters, digits, `-` and `_`")
_PART = r"(?:[A-Za-z0-9_/:@-]+|\"[^\"]{1,256}\")"
_EVENT_ROOTS = "|".join(ROOTS)
EVENT_FIELD = Name(rf"(?:{_EVENT_ROOTS})(?:\.{_PART}){{0,16}}", "a field such as `labels.severity`", ROOTS)
ANY_FIELD = Name(
    rf"(?:{_EVENT_ROOTS}|{STEPS}\.{_PART}\.{_PART})(?:\.{_PART}){{0,16}}",
    "a field such as `steps.drain.status`",
    (*ROOTS, STEPS),
)

_DAY = "|".join(WEEK_DAYS)
_TIME_OF_DAY = Text(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", "a time of day such as `09:00`, in quotes")


def _condition() -> Shape:
    one, several = Scalar(), Many(Scalar(), "values", OPERANDS_MAX)
    number = Number(-1e300, 1e300)
    fields = {
        Comparison.IS: Field(one, "It is this."),
        Comparison.IS_NOT: Field(one, "It is anything else, or missing."),
        Comparison.ONE_OF: Field(several, "It is one of these."),
        Comparison.NONE_OF: Field(several, "It is none of these, or missing."),
        Comparison.MATCHES: Field(
            Text(like="a regular expression", longest=PATTERN_CHARACTERS_MAX),
            "The whole of it is like this regular expression.",
        ),
        Comparison.ABOVE: Field(number, "It is a number above this."),
        Comparison.AT_LEAST: Field(number, "It is this number or more."),
        Comparison.BELOW: Field(number, "It is a number below this."),
        Comparison.AT_MOST: Field(number, "It is this number or less."),
        Comparison.EXISTS: Field(Flag(), "true: it is there, whatever it is. false: it is not."),
    }
    return Either(single=one, mapping=Record({k.value: v for k, v in fields.items()}, "a condition", least=1))


def _conditions(name: Name) -> Shape:
    return Named(name, _condition(), CONDITIONS_MAX)


_BACKOFF = Record(
    {
        "first": Field(Duration(3600.0, 0.1), "The pause after the first failure; 2s unless given."),
        "factor": Field(Number(1, 10), "By this each further pause is longer; 2 unless given."),
        "max": Field(Duration(86_400.0, 0.1), "No pause is longer; 60s unless given."),
    },
    "a back-off",
)

_TASK = {
    "plugin": Field(NAME, "Which plugin is called.", needed=True),
    "name": Field(NAME, "What the step is called; the plugin's name unless given."),
    "properties": Field(Free(), "What the plugin is told besides the event."),
    "timeout": Field(Duration(STEP_TIMEOUT_SECONDS_MAX, 0.1), "How long each try may take; 60s unless given."),
    "retries": Field(
        Number(0, RETRIES_MAX, whole=True), "How often it is tried again after a failure; 0 unless given."
    ),
    "backoff": Field(_BACKOFF, "How long it waits before it is tried again."),
    "when": Field(_conditions(ANY_FIELD), "Only when all of these hold; else the step is skipped."),
}

_THEN = Word(tuple(each.value for each in Then), "word")
_CONSEQUENCE = Either(
    single=_THEN,
    mapping=Record(
        {
            "run": Field(Many(Record(_TASK, "a step"), "steps", STEPS_MAX), "Steps that are done first.", needed=True),
            "then": Field(_THEN, "Whether the chain goes on after them."),
        },
        "what follows",
    ),
)

STEP = Record(
    _TASK
    | {
        "on_success": Field(_CONSEQUENCE, "What follows a success; `continue` unless given."),
        "on_failure": Field(_CONSEQUENCE, "What follows a failure; `stop` unless given."),
    },
    "a step",
)

_HOURS = Record(
    {
        "days": Field(
            Either(
                single=Text(rf"(?:{_DAY})(?:-(?:{_DAY}))?", "a day such as `mon`, or days such as `mon-fri`"),
                many=Many(
                    Text(rf"(?:{_DAY})(?:-(?:{_DAY}))?", "a day such as `mon`, or days such as `mon-fri`"), "days", 7
                ),
            ),
            "On which days; mon-fri unless given. A night belongs to the day on which it begins.",
        ),
        "from": Field(_TIME_OF_DAY, "The time of day at which they begin.", needed=True),
        "to": Field(_TIME_OF_DAY, "The time of day at which they end, perhaps of the next day.", needed=True),
        "zone": Field(Text(like="a time zone such as `Europe/Berlin`", longest=64), "Whose clocks; UTC unless given."),
        "outside": Field(
            Word(("wait", "skip"), "word"),
            "What comes outside of them waits until they open (wait), or is passed over.",
        ),
    },
    "hours",
)

_GLOB = Text(
    r"[^\s?\[\]](?:[^\t-\r?\[\]]*[^\s?\[\]])?", "a type of event such as `prometheus.server.alert.*`", longest=256
)
"""Names of alerts may have spaces within."""

RULE = Record(
    {
        "name": Field(NAME, "What the rule is called.", needed=True),
        "description": Field(Text(like="a text", longest=2_000), "What it is for."),
        "enabled": Field(Flag(), "false: it takes nothing."),
        "events": Field(
            Either(single=_GLOB, many=Many(_GLOB, "types of events", EVENTS_MAX)),
            "Which types of events it takes; `*` stands for anything.",
            needed=True,
        ),
        "where": Field(_conditions(EVENT_FIELD), "Only when all of these hold."),
        "group_by": Field(
            Either(single=EVENT_FIELD, many=Many(EVENT_FIELD, "fields", GROUP_FIELDS_MAX)),
            "Events that are the same in these fields are one group, and have one flow at a time.",
        ),
        "cooldown": Field(
            Duration(WAIT_SECONDS_MAX), "So long after a flow of a group, no other begins; 0 unless given."
        ),
        "repeat": Field(
            Duration(WAIT_SECONDS_MAX, 1.0),
            "The same event, heard again so long after its flow began, begins another; never unless given.",
        ),
        "concurrency": Field(
            Number(1, 10_000, whole=True),
            "So many flows of the rule run at once, others wait; any number unless given.",
        ),
        "delay": Field(Duration(WAIT_SECONDS_MAX), "So long after the event the first step is done; 0 unless given."),
        "hours": Field(_HOURS, "Only within these hours is a flow started."),
        "finish_within": Field(
            Duration(WAIT_SECONDS_MAX, 1.0), "A flow that takes longer, from its first step on, ends as failed."
        ),
        "happens": Field(EVENT_FIELD, "Where the time stands at which what the event announces happens."),
        "steps": Field(Many(STEP, "steps", STEPS_MAX), "What is done, in this order.", needed=True),
    },
    "a rule",
)

_PLUGIN = Record(
    {
        "kind": Field(Word(KINDS, "kind of plugin"), "How it is spoken to; grpc unless given."),
        "address": Field(Text(like="an address such as `127.0.0.1:8888`", longest=2_000), "Where it is."),
        "at_once": Field(
            Number(1, CALLS_AT_ONCE_MAX, whole=True), "How many calls of it are under way at once; 16 unless given."
        ),
        "properties": Field(Free(), "What the properties of each of its steps are laid over."),
    },
    "a plugin",
)

_SCHEDULE = Record(
    {
        "cron": Field(
            Text(like="a cron expression such as `30 3 * * mon-fri`", longest=200),
            "When it strikes: minute, hour, day of the month, month, day of the week.",
        ),
        "every": Field(
            Duration(WAIT_SECONDS_MAX, 1.0), "It strikes at each whole multiple of this, in UTC; instead of `cron`."
        ),
        "zone": Field(
            Text(like="a time zone such as `Europe/Berlin`", longest=64),
            "Whose clocks `cron` goes by; UTC unless given.",
        ),
        "missed": Field(
            Word(("run", "skip"), "word"),
            "What was due while nobody ran is run once, late (run), or passed over; skip unless given.",
        ),
        "data": Field(Free(), "What the event carries besides."),
    },
    "a schedule",
    least=1,
)

FILE = Record(
    {
        "version": Field(Number(1, 1, whole=True), "Of this form: 1.", needed=True),
        "match": Field(
            Word(("first", "all"), "word"),
            "Only the first rule that takes an event gets it (first), or every one that does; first unless given.",
        ),
        "flows_open_max": Field(
            Number(1, 1_000_000, whole=True), "How many flows may be open; 20000 unless given. Beyond it none begins."
        ),
        "plugins": Field(Named(NAME, _PLUGIN, PLUGINS_MAX), "The plugins that steps may call, by their names."),
        "schedule": Field(
            Named(NAME, _SCHEDULE, SCHEDULES_MAX),
            "What occurs by the clock, by names: events of the type `schedule.NAME`.",
        ),
        "rules": Field(Many(RULE, "rules", RULES_MAX, least=0), "The rules, in their order.", needed=True),
    },
    "the file",
)


def schema() -> Schema:
    """The JSON schema of a rules file, for editors."""
    head: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rules of Spotward"}
    return head | FILE.schema()
