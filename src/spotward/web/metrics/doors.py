"""The doors: what was answered, and how long it took."""

from spotward.web.metrics.question import Question, each

DOORS = (
    Question(
        name="spotward_door_requests_total",
        labels=("door", "status"),
        help="Requests at the doors by their answer: 200 is taken and stored, anything else was not.",
        answer=each(lambda look: look.doors.answers),
    ),
    Question(
        name="spotward_door_answer_seconds",
        labels=("door",),
        help="How long a request waited for its answer: until it was stored, or refused.",
        answer=each(lambda look: look.doors.wait_seconds),
        distributed=True,
    ),
)
