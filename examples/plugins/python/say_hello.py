"""say-hello: a plugin of Spotward. What it does stands in one function; the rest is how it is told and served."""

from dataclasses import dataclass

from spotward.plugins.sdk import Answer, Call, done, plugin, refused, serve


@dataclass
class Properties:
    """What a step of a rule can tell it."""

    greeting: str = "Hello"
    """How it begins."""


@plugin(
    name="say-hello",
    version="0.1.0",
    event_types=["prometheus.server.alert.*"],
    properties=Properties,
)
async def say_hello(call: Call) -> Answer:
    """Greets the instance that an alert is about."""
    instance = call.event.labels.get("instance")
    if instance is None:
        return refused("the alert has no label `instance`; add one, or filter such alerts out in the rule")
    if call.dry_run:
        return done(f"would greet {instance}")
    await call.progress(f"greeting {instance}", 0.5)
    # Do the work here. The same `call.key` has one effect: an answer that was given is given again by the server.
    return done(f"{call.properties.greeting}, {instance}!", greeted=instance)


def main() -> None:
    """Serve it until SIGTERM; `say-hello --help` names the options."""
    serve(say_hello)


if __name__ == "__main__":
    main()
