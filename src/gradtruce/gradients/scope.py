"""Which parameters the Gramian sees and the coefficients act on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, final

import torch
from torch import Tensor

ScopeRule = Literal["shared", "all", "features"]
LAST_DOUBLING = 1024  # reads come after steps 2, 4, 8 … up to this one,
NOBODY, SEVERAL = -1, -2  # owners of parameters that no task, or more than one, reaches
READ_EVERY = 1000  # and every so many steps from there on
LAST_CHANCE = 64  # step by which two tasks must have met in some parameter
_NAMED = 3  # parameters named in a note before "and n more"


def is_read_after(step: int) -> bool:
    """Return whether the host reads what is kept on the device after a step, counted from 1.

    >>> [step for step in range(1, 2001) if is_read_after(step)]
    [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2000]
    """
    if step > LAST_DOUBLING:
        return step % READ_EVERY == 0
    return step > 1 and step & (step - 1) == 0


@final
class Scope:
    """Finds the parameters that at least two tasks reach, from the rows of their gradients.

    A task reaches a parameter once its row has been non-zero: compiled models fill rows of zeros,
    and zero-initialised layers start at zero. What has been non-zero is kept in flags on the device
    and read by the host only when a task appears for the first time (step 1, for most), and after
    the steps that `is_read_after` tells. The scope widens, and never narrows.

    Args:
        names: Names of all parameters.
        tasks: Names of all tasks.
        rule: "shared", "all", or "features": what lies before the features that a user names.
        chosen: Places of the parameters that the user chose instead.
        may_be_empty: Whether no shared parameter is no error, as where the scope is only looked at.
        united: Returns where a mask is true on any of several processes; `None` for a single one.
        device: Where masks are exchanged.
    """

    def __init__(
        self,
        names: Sequence[str],
        tasks: Sequence[str],
        *,
        rule: ScopeRule,
        chosen: Sequence[int] | None = None,
        may_be_empty: bool = False,
        united: Callable[[Tensor], Tensor] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._united, self._device = united, device
        self.names = list(names)
        self._tasks, self._may_be_empty = tasks, may_be_empty
        self.rule: Literal["shared", "all", "chosen", "features"] = (
            rule if chosen is None else "chosen"
        )
        self.members = [rule == "all" and chosen is None] * len(names)
        for place in chosen or ():
            self.members[place] = True
        self._seen: set[int] = set()  # tasks that have had a graph
        self._touched = [[False] * len(names) for _ in tasks]  # had a row, be it of zeros
        self._reached = [[False] * len(names) for _ in tasks]  # had a non-zero row, as last read
        self._flags: dict[tuple[int, int], Tensor] = {}
        self._met: set[tuple[int, int]] = set()  # touched on this process since the last read

    @property
    def is_found(self) -> bool:
        """Whether the scope comes from the rows."""
        return self.rule == "shared"

    def watch(self, task: int, row: Sequence[Tensor | None]) -> None:
        """Note on the device where a task's row is non-zero, if that is not known yet."""
        if self.rule == "all":
            return
        for place, gradient in enumerate(row):
            if gradient is not None and not self._reached[task][place]:
                key = (task, place)
                self._met.add(key)
                if self.is_found:
                    flag = gradient.any()
                    self._flags[key] = self._flags[key] | flag if key in self._flags else flag

    def admit(self, present: Sequence[int], step: int) -> list[str]:
        """Read the flags if a task appears for the first time; return notes.

        Raises:
            ValueError: If tasks are there that cannot share a parameter.
        """
        new = set(present) - self._seen
        self._seen |= new
        return self.read(step) if new else []

    def read(self, step: int) -> list[str]:
        """Read the flags, widen the scope, and return notes; do nothing where it is not found.

        Raises:
            ValueError: If there is no shared parameter and none can be expected.
        """
        self._read_flags()
        if not self.is_found:
            return []
        shared = [sum(column) > 1 for column in zip(*self._reached, strict=True)]
        was_empty = not any(self.members)
        new = [p for p, is_shared in enumerate(shared) if is_shared and not self.members[p]]
        for place in new:
            self.members[place] = True
        if any(self.members):
            return [] if was_empty or not new else [f"scope widened by {self._list(new)}"]
        return self._empty(step)

    def _read_flags(self) -> None:
        """Learn on the host what was touched and reached on any process since the last read."""
        if self._united is None:
            met: Collection[tuple[int, int]] = self._met
            found = torch.stack(list(self._flags.values())).tolist() if self._flags else []
            reached: Collection[tuple[int, int]] = [
                key for key, is_reached in zip(self._flags, found, strict=True) if is_reached
            ]
        else:
            met, reached = self._united_flags(self._united)
        for task, place in met:
            self._touched[task][place] = True
        for task, place in reached:
            self._reached[task][place] = True
            self._flags.pop((task, place), None)
        self._met = set()

    def _united_flags(
        self, united: Callable[[Tensor], Tensor]
    ) -> tuple[Collection[tuple[int, int]], Collection[tuple[int, int]]]:
        """Exchange what was touched and reached; all processes do this after the same steps."""
        device = self._device
        here = torch.zeros(2, len(self._tasks), len(self.names), dtype=torch.bool, device=device)
        for row, keys in enumerate((list(self._met), list(self._flags))):
            if keys:
                tasks, places = torch.tensor(keys, device=device).unbind(1)
                values = list(self._flags.values()) if row else [torch.tensor(True, device=device)]
                here[row, tasks, places] = torch.stack(values).to(device)
        met, reached = united(here)
        return [(t, p) for t, p in met.nonzero().tolist()], [
            (t, p) for t, p in reached.nonzero().tolist()
        ]

    def _empty(self, step: int) -> list[str]:
        if len(self._seen) < 2 or self._may_be_empty:
            return ["scope not known: fewer than two tasks have had a gradient in one parameter"]
        may_come = any(sum(column) > 1 for column in zip(*self._touched, strict=True))
        if may_come and step < LAST_CHANCE:
            return ["scope not known: the rows that two tasks have in one parameter are all zero"]
        counts = ", ".join(
            f"{self._tasks[task]!r} reaches {sum(self._reached[task])}"
            for task in sorted(self._seen)
        )
        raise ValueError(
            f"no parameter has a non-zero gradient from two tasks up to step {step} ({counts} of "
            f"{len(self.names)} parameters, none in common), so there is nothing to balance; look "
            "for a detach() between trunk and heads, or use scope='all'"
        )

    def describe(self, sizes: Sequence[int], *, reach: bool) -> list[str]:
        """Return in words how much is in scope and, if asked, what each task reaches."""
        inside = [size for size, is_in in zip(sizes, self.members, strict=True) if is_in]
        lines = [
            f"scope: {self.rule}, {len(inside)} of {len(sizes)} parameters, "
            f"{sum(inside):,} of {sum(sizes):,} numbers"
        ]
        if self.is_found and reach:
            counts = ", ".join(f"{task} {count}" for task, count in self.reach().items())
            lines.append(f"parameters reached: {counts}")
        return lines

    def note_strangers(self, places: Sequence[int]) -> list[str]:
        """Return a note about parameters of which it is not known which task reached them."""
        if not places:
            return []
        return [
            f"outside the scope and not reached before, with coefficients: {self._list(places)}"
        ]

    def _list(self, places: Sequence[int]) -> str:
        named = ", ".join(self.names[place] for place in places[:_NAMED])
        more = len(places) - _NAMED
        return f"{named} and {more} more" if more > 0 else named

    def is_new(self, present: Collection[int]) -> bool:
        """Return whether a task is there for the first time."""
        return not self._seen.issuperset(present)

    def learn(self, inside: Sequence[bool], touched: Mapping[int, Sequence[bool]]) -> None:
        """Take the parameters before the features as the scope, and what each task reaches."""
        self._seen |= set(touched)
        for place, is_inside in enumerate(inside):
            self.members[place] = self.members[place] or is_inside
        for task, row in touched.items():
            known = self._touched[task]
            self._touched[task] = [a or b for a, b in zip(known, row, strict=True)]

    def owners(self) -> list[int]:
        """Return the task that reaches each parameter, `NOBODY`, or `SEVERAL`, as last read."""
        result = []
        for reached, touched in zip(
            zip(*self._reached, strict=True), zip(*self._touched, strict=True), strict=True
        ):
            tasks = [task for task, is_reached in enumerate(reached) if is_reached]
            tasks = tasks or [task for task, is_touched in enumerate(touched) if is_touched]
            result.append(NOBODY if not tasks else tasks[0] if len(tasks) == 1 else SEVERAL)
        return result

    def reach(self) -> dict[str, int]:
        """Return how many parameters each task reaches, as last read."""
        return {t: sum(row) for t, row in zip(self._tasks, self._reached, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """Return scope and flags, flags read from the device."""
        flags = [(task, place) for (task, place), flag in self._flags.items() if bool(flag)]
        return {
            "rule": self.rule,
            "parameters": list(self.names),
            "members": torch.tensor(self.members),
            "seen": sorted(self._seen),
            "touched": torch.tensor(self._touched),
            "reached": torch.tensor(self._reached),
            "flags": flags,
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take over what `state_dict` returned.

        Raises:
            ValueError: If it is about other parameters or another rule.
        """
        if state["rule"] != self.rule:
            raise ValueError(
                f"the state has scope {state['rule']!r}, this engine {self.rule!r}; make it alike"
            )
        if state["parameters"] != list(self.names):
            strange = set(state["parameters"]).symmetric_difference(self.names) or {"their order"}
            raise ValueError(
                f"the state is about another model: {min(strange)!r} differs; load it "
                "into the model that it was saved from"
            )
        self.members = state["members"].tolist()
        self._seen = set(state["seen"])
        self._touched, self._reached = state["touched"].tolist(), state["reached"].tolist()
        self._flags = {(t, p): torch.tensor(True, device=device) for t, p in state["flags"]}
