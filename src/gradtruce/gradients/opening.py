"""How a step takes its backward passes: one a task, or one of all losses with known weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.gradients.balancer import FeatureReader
from gradtruce.gradients.cadence import Cadence
from gradtruce.gradients.features import admitted_features, feature_gramian, reach_of
from gradtruce.gradients.losses import Arrival
from gradtruce.gradients.open_step import OpenStep, Seen, loss_vector, on_device, task_mask
from gradtruce.gradients.rows import RowStore
from gradtruce.gradients.scaling import scale_of
from gradtruce.gradients.update import Updater
from gradtruce.gradients.weighted_pass import WeightedPass

Features = Tensor | Sequence[Tensor]


@final
@dataclass(frozen=True, eq=False)
class Opening:
    """Starts steps.

    Attributes:
        updater: Knows balancer and scope.
        cadence: Whether coefficients are due.
        parameters: All parameters; `names` are for messages.
        keeps_rows: Whether the balancer, or the user, wants the rows of each task.
        scaler: Multiplies the losses, if there is one.
        home: Where float64 is.
    """

    updater: Updater
    cadence: Cadence
    parameters: Sequence[nn.Parameter]
    names: Sequence[str]
    keeps_rows: bool
    scaler: torch.amp.GradScaler | None
    home: torch.device

    def arrived(
        self, present: Mapping[int, Tensor], opened: OpenStep | None, steps: int
    ) -> Arrival:
        """Agree with other processes on the losses of the step so far, and on who is there."""
        losses, places = loss_vector(present, len(self.updater.tasks), self.home), set(present)
        if opened is None:
            self.updater.ranks.begin(steps)
        else:
            losses, places = losses + opened.losses, places | set(opened.present)
        means, everywhere = self.updater.ranks.agreed(losses, sorted(places))
        return Arrival(present, everywhere, means)

    def open(
        self,
        arrival: Arrival,
        features: Features | None,
        *,
        last: bool,
        step: int,
        epoch: int | None,
    ) -> OpenStep:
        """Start a step: with a single row where its coefficients can be known by now."""
        if isinstance(self.updater.balancer, FeatureReader):
            self.updater.balancer.forget()
        scale = scale_of(self.scaler, self.updater.device)
        seen, kept, weighted = None, None, None
        is_due = self.cadence.is_due or self.updater.scope.is_new(arrival.everywhere)
        has_features = self.keeps_rows and self.updater.scope.rule == "features"
        if has_features and is_due:
            kept = self.updater.kept_state()
            seen = self._look(arrival, features, scale, step, epoch)
            weighted = self._weighted(seen.coefficients)
        elif self._is_lagging(is_due):
            weighted = self._weighted(self.cadence.coefficients)
        elif (not self.keeps_rows or not is_due) and (last or self.updater.balancer.is_fixed):
            kept = self.updater.kept_state()
            weighted = self._of_losses(arrival, last=last, step=step, epoch=epoch)
        tasks = len(self.updater.tasks)
        store = RowStore(
            self.parameters,
            self.names,
            count=tasks if weighted is None else 1,
            memory=self.updater.ranks,
        )
        return OpenStep(
            store,
            weighted,
            tasks=tasks,
            device=self.updater.device,
            home=self.home,
            scale=scale,
            seen=seen,
            kept=kept,
            reads_scope=self.cadence.every > 1,
        )

    def count(self, opened: OpenStep, coefficients: Tensor, finite: Tensor) -> None:
        """Count a step that is done, and keep its coefficients if they are new."""
        if opened.weighted is None or opened.seen is not None:
            self.cadence.renew(coefficients, finite)
        else:
            self.cadence.pass_by()
            if opened.weighted.strangers:
                self.cadence.hasten()

    def _is_lagging(self, is_due: bool) -> bool:
        return self.keeps_rows and not is_due and self.updater.balancer.needs != "losses"

    def _weighted(self, coefficients: Float[Tensor, " tasks"]) -> WeightedPass:
        here = on_device(coefficients, self.updater.device)
        if self.updater.balancer.needs == "losses":
            return WeightedPass(here)
        scope = self.updater.scope
        static = on_device(self.updater.static, self.updater.device)
        return WeightedPass(here, static, self.parameters, scope.members, scope.owners())

    def _of_losses(
        self, arrival: Arrival, *, last: bool, step: int, epoch: int | None
    ) -> WeightedPass:
        tasks = len(self.updater.tasks)
        active = task_mask(arrival.everywhere if last else range(tasks), tasks, self.home)
        unknown = torch.zeros(tasks, tasks, dtype=torch.float64, device=self.home)
        a = self.updater.coefficients(unknown, arrival.losses, active, step, epoch)
        return WeightedPass(on_device(a, self.updater.device))

    def _look(
        self,
        arrival: Arrival,
        features: Features | None,
        scale: Float[Tensor, ""] | None,
        step: int,
        epoch: int | None,
    ) -> Seen:
        """Return what the gradients of the features say."""
        found = admitted_features(features, self.updater.device)
        if self.updater.scope.is_new(arrival.everywhere):
            self._learn(found, arrival)
        products = feature_gramian(
            arrival.here, found, scale, tasks=len(self.updater.tasks), home=self.home
        )
        return self.updater.from_features(arrival, products, step, epoch)

    def _learn(self, features: Sequence[Tensor], arrival: Arrival) -> None:
        """Find out on all processes which parameters lie before the features."""
        inside, touched = reach_of(features, arrival.here, self.parameters)
        nothing = [False] * len(inside)
        here = [inside, *(touched.get(task, nothing) for task in arrival.everywhere)]
        united = self.updater.ranks.united(torch.tensor(here, device=self.home)).tolist()
        self.updater.scope.learn(united[0], dict(zip(arrival.everywhere, united[1:], strict=True)))
