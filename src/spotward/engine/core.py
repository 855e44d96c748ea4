"""One event comes in; what we then know, what we decided and what is to be done come out. Pure.

The deciders are asked in order, and each sees what those before it began, paused, judged and asked. A wish is asked
once: while it is in flight it is dropped silently, after a failure it waits out its pause, and a guard may refuse it.
Whatever waits is given a time to be woken at, so that nothing is ever forgotten and nothing sleeps.

Questions alone make no page, for then every look would be one. A page is made by a deed, by a refusal or a verdict
whose words are new, or by a note.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from spotward.engine.memory import Change, Touched, forgetting, in_doubt, touched_by
from spotward.engine.words import event_words, subjects_of_action, subjects_of_event
from spotward.model.action import Action, LaunchFleet
from spotward.model.decision import NOTHING, Decider, Decision, Guard, Verdict, WakeAt, Wish, next_beat
from spotward.model.event import Event, Failed, Restarted, Tick
from spotward.model.page import Asked, Note, Page, Refusal
from spotward.model.undertaking import Undertaking
from spotward.model.wish import WishState
from spotward.model.world import World

REFUSED_PAUSE_SECONDS = 30.0
"""A refused wish is looked at again at the next whole multiple of this, so that any number of refusals of one subject
wakes it once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one event led to."""

    world: World
    """All that we know now."""
    page: Page | None
    """None when there is nothing to say."""
    asked: tuple[Asked, ...] = ()
    """What is to be done, once the page is stored: deeds and questions."""
    wakes: tuple[WakeAt, ...] = ()
    """When to ask again."""
    undertakings: tuple[Undertaking, ...] = ()
    """Those that changed, as they now stand, ended ones included."""
    change: Change
    """What is different in memory."""
    refused_by: Mapping[str, str] = field(default_factory=dict)
    """Key of each wish whose refusal stands on the page → the guard that refused it: `capacity`. For counting."""


class Core:
    """The thinking, put together: deciders in their order, and the guards that every wish must pass."""

    def __init__(self, deciders: Sequence[Decider], guards: Sequence[Guard] = ()) -> None:
        self._deciders = tuple(deciders)
        self._guards = tuple(guards)

    def step(self, world: World, event: Event, *, page_number: int) -> Step:
        """Fold an event in and decide. `page_number` is the number of the page, if there is one."""
        draft = _Draft(before=world, event=event, world=_known(world, event), guards=self._guards)
        for decide in self._deciders:
            draft.take(decide(draft.world, event))
        return draft.finished(page_number)


def _known(world: World, event: Event) -> World:
    after = world.after(event)
    match event:
        case Restarted():
            return in_doubt(after)
        case Tick():
            return forgetting(after, event.regions)
        case _:
            return after


@dataclass(kw_only=True, slots=True)
class _Draft:
    """A step while it is being made."""

    before: World
    event: Event
    world: World
    guards: Sequence[Guard]
    touched: Touched = field(init=False)
    undertakings: dict[str, Undertaking] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    wakes: dict[WakeAt, None] = field(default_factory=dict)
    refused_by: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.touched = touched_by(self.before, self.event)
        if isinstance(self.event, Failed) and (wish := self.world.wishes.get(self.event.key)) is not None:
            self.wake(wish.retry_time, self.event.subject)

    def take(self, decision: Decision) -> None:
        """Apply one decider's decision, so that the next one sees it."""
        if decision is NOTHING:
            return
        for undertaking in decision.undertakings:
            self.undertakings[undertaking.key] = undertaking
            self.world = self.world.with_undertaking(undertaking)
        for group_pause in decision.pauses:
            self.touched.pauses.add(group_pause.subject)
            self.world = self.world.with_pause(group_pause.subject, group_pause.pause)
        for subject in decision.explained:
            self.world = self.world.without_surprise(subject)
        for verdict in decision.verdicts:
            self._judge(verdict)
        for refusal in decision.refusals:
            self._refuse(refusal)
        for turn_key, turn in decision.turns:
            self.touched.turns.add(turn_key)
            self.world = self.world.with_turn(turn_key, turn)
        for key in decision.withdrawn:
            self._withdraw(key)
        for wish in decision.wishes:
            self._wish(wish)
        self.wakes.update(dict.fromkeys(decision.wakes))
        self.notes.extend(decision.notes)

    def _judge(self, verdict: Verdict) -> None:
        if verdict.text is None:
            self._set_verdict(verdict.subject, None)
        else:
            self._refuse(Refusal(key=verdict.subject, subject=verdict.subject, reason=verdict.text))

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, unless it was said in the same words before."""
        if self.world.verdicts.get(refusal.key) != refusal.reason:
            self.refusals.append(refusal)
            self._set_verdict(refusal.key, refusal.reason)

    def _set_verdict(self, subject: str, text: str | None) -> None:
        if self.world.verdicts.get(subject) != text:
            self.touched.verdicts.add(subject)
            self.world = self.world.with_verdict(subject, text)

    def _withdraw(self, key: str) -> None:
        """Forget that it failed; one that is in flight will be answered."""
        known = self.world.wishes.get(key)
        if known is not None and known.state == "failed":
            self.touched.wishes.add(key)
            self.world = self.world.without_wish(key)
            self._set_verdict(key, None)

    def _wish(self, wish: Wish) -> None:
        action = wish.action
        known = self.world.wishes.get(action.key)
        if known is not None and known.state == "asked":
            return
        if known is not None and known.retry_time > self.world.time:
            self.wake(known.retry_time, action.subject)
            return
        refused = next(
            ((guard, reason) for guard in self.guards if (reason := guard(self.world, wish)) is not None), None
        )
        if refused is None:
            self._ask(wish, known)
            return
        guard, reason = refused
        self.refused_by[action.key] = name_of(guard)
        self._refuse(Refusal(key=action.key, subject=action.subject, reason=reason))
        self.wake(next_beat(self.world.time, REFUSED_PAUSE_SECONDS), action.subject)

    def _ask(self, wish: Wish, known: WishState | None) -> None:
        action = self._to_the_letter(wish.action)
        attempt = action.attempt if isinstance(action, LaunchFleet) else (known.attempt if known else 0) + 1
        failures = known.failures if known else 0
        # A launch that was asked and is no wish any more was asked by a process that did not live to hear the answer.
        lost = known.lost if known else action.key in self.world.launches
        now = self.world.time
        state = WishState(attempt=attempt, state="asked", time=now, failures=failures, action=action, lost=lost)
        self.touched.wishes.add(action.key)
        self.world = self.world.with_wish(action.key, state)
        self._set_verdict(action.key, None)
        self.asked.append(Asked(action=action, attempt=attempt, reason=wish.reason, urgent=wish.urgent))

    def _to_the_letter(self, action: Action) -> Action:
        """A launch whose outcome is not known is repeated exactly as it was asked, for its token goes with it."""
        if not isinstance(action, LaunchFleet):
            return action
        earlier = self.world.launches.get(action.key)
        same = earlier is not None and earlier.attempt == action.attempt
        return earlier.action if same and earlier is not None and earlier.action is not None else action

    def wake(self, time: float, subject: str) -> None:
        """Ask for a wake, once."""
        self.wakes[WakeAt(time=time, subject=subject)] = None

    def finished(self, page_number: int) -> Step:
        """The step."""
        return Step(
            world=self.world,
            page=self._page(page_number),
            asked=tuple(self.asked),
            wakes=tuple(self.wakes),
            undertakings=tuple(self.undertakings.values()),
            change=self.touched.change(self.before, self.world),
            refused_by=self.refused_by,
        )

    def _page(self, number: int) -> Page | None:
        if not (self.refusals or self.notes or any(asked.action.mutates for asked in self.asked)):
            return None
        return Page(
            number=number,
            time=self.world.time,
            event_kind=self.event.kind,
            event_text=event_words(self.event, self._answered()),
            subjects=tuple(dict.fromkeys(self._subjects())),
            asked=tuple(self.asked),
            refusals=tuple(self.refusals),
            notes=tuple(self.notes),
        )

    def _answered(self) -> Action | None:
        """What the event is the outcome of."""
        wish = self.before.wishes.get(getattr(self.event, "key", ""))
        return wish.action if wish is not None else None

    def _subjects(self) -> Iterable[str]:
        """Whom the page is about: of the event, of each deed, and of what was begun or has ended."""
        yield from subjects_of_event(self.event)
        for asked in self.asked:
            yield from subjects_of_action(asked.action)
        for refusal in self.refusals:
            yield from (refusal.key, refusal.subject)
        for note in self.notes:
            yield note.subject
        for key, undertaking in self.undertakings.items():
            yield from (key, undertaking.subject)
            if undertaking.ended is not None or not _was_open(self.before, undertaking):
                yield from undertaking.about


def name_of(guard: Guard) -> str:
    """What it is called where refusals are counted: `capacity` for `capacity_guard` and for what it returns."""
    return str(getattr(guard, "__qualname__", "")).partition(".")[0].removesuffix("_guard")


def _was_open(world: World, undertaking: Undertaking) -> bool:
    if undertaking.key in world.flows.by_key or undertaking.key in world.orders.by_key:
        return True
    incident = world.incidents.get(undertaking.subject)
    return undertaking.key in world.swaps.by_key or (incident is not None and incident.key == undertaking.key)
