"""What the queue of a study knows of a run."""

from dataclasses import dataclass
from typing import Literal, final

State = Literal["lost", "failed", "waiting", "running", "finished"]


@final
@dataclass(frozen=True)
class Entry:
    """What the queue knows of a run.

    Attributes:
        state: "waiting", "running", "failed", "finished"; or "lost", its worker being gone: such a
            run waits once it is added again.
        trial: Id of its newest trial in the storage.
        host: Machine of its worker, once it was claimed.
        reason: Why it failed.
        seconds: From claim to end, once it has ended.
    """

    state: State
    trial: int
    host: str | None = None
    reason: str | None = None
    seconds: float | None = None
