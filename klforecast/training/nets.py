"""skorch nets that map the past of a window to its forecast, and own every write to the memory.

    LinearNet     a linear core, solved when it is fitted; further epochs can fine-tune it
    EncoderNet    a `ForecastModule`, trained by epochs

Who writes the memory, and when:

    history       at the start of training, from the windows that are trained on
    trajectory    after every training step; emptied before every epoch, and in the end as the best one
                  left it: empty, with a warning, if that is before the first step

Predicting, scoring and validating write nothing. Training validates on the newest windows and ends
with the best weights seen, those before the first step included. A fitted net holds no data and no
state of its optimiser: every call that trains starts with a fresh one.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from skorch import NeuralNet
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from klforecast.core.linear_core import LinearCore
from klforecast.core.solve import Solved
from klforecast.modules.forecast import ForecastModule
from klforecast.ops.precision import exact
from klforecast.training.batches import as_they_come, require_finite_loss
from klforecast.training.judged_net import JudgedNet
from klforecast.training.processes import Processes
from klforecast.training.rollback import unchanged_on_error
from klforecast.training.seeding import draw_seed, seeded
from klforecast.training.windows import PanelWindows

LOSSES: dict[str, type[nn.Module]] = {"mse": nn.MSELoss, "mae": nn.L1Loss}
"""What training steps lower, by name."""

_ALONE = Processes()
_WINDOWS_PER_WRITE = 1024  # without gradients: 432 steps of 7 channels take 12 MB


class ForecastNet(JudgedNet):
    """What both nets share: windows of a panel, seeds, and the judging of weights.

    Parameters
    ----------
    module : type
        Class of the torch module; its parameters are passed as ``module__*``.
    validation_fraction : float, default=0.2
        Newest share of each series, in rows, that validates.
    patience : int or None, default=3
        Epochs without improvement after which training stops; None: never.
    lr_schedule : str, default="cosine"
        How the learning rate goes on from epoch to epoch: a key of
        `klforecast.training.callbacks.SCHEDULES`.
    loss : {"mse", "mae"}, default="mse"
        What training steps lower. Weights are judged by their squared error all the same.
    random_state : int, RandomState or None, default=None
        For initial weights, the order of windows and dropout. The global generators stay as they
        are.
    processes : Processes, default=Processes()
        That share training, each of which calls what this one calls.
    **options
        Of `skorch.NeuralNet`: max_epochs, batch_size, lr, callbacks, device, verbose and so on.
    """

    def __init__(
        self,
        module: type[nn.Module],
        *,
        validation_fraction: float = 0.2,
        patience: int | None = 3,
        lr_schedule: str = "cosine",
        loss: str = "mse",
        random_state: int | np.random.RandomState | None = None,
        processes: Processes = _ALONE,
        criterion: type[nn.Module] = nn.MSELoss,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        lr: float = 1e-3,
        batch_size: int = 64,
        train_split: None = None,
        **options: Any,
    ):
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            batch_size=batch_size,
            train_split=train_split,
            **options,
        )
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.lr_schedule = lr_schedule
        self.loss = loss
        self.random_state = random_state
        self.processes = processes

    def fit(self, X: Sequence[Tensor], y: None = None, **fit_params: Any) -> Self:
        """Forget everything and fit.

        Parameters
        ----------
        X : sequence of Tensor, each (time, channels)
            A panel of scaled series.
        y : None
            Ignored: a series is its own target.

        Raises
        ------
        ValueError
            If the panel leaves no window to train on or none to validate on, or several processes
            have no seed.
        KLForecastError
            If the training loss is not finite. After any error the net is as it was before.
        """
        self._require_seed()
        with unchanged_on_error(self), seeded(self.random_state, self.device):
            self.initialize()
            return self._train(X)

    def partial_fit(
        self, X: Sequence[Tensor], y: None = None, classes: None = None, **fit_params: Any
    ) -> Self:
        """Train on from the present weights, for `max_epochs` at most.

        Parameters
        ----------
        X : sequence of Tensor, each (time, channels)
            A panel of scaled series.
        y, classes : None
            Ignored.

        Raises
        ------
        ValueError, KLForecastError
            As for `fit`.
        """
        self._require_seed()
        with seeded(self.random_state, self.device):
            if not self.initialized_:
                self.initialize()
            return self._train(X)

    def initialize_criterion(self) -> Self:
        """Make the criterion that `loss` names; the argument `criterion` is left as it was given."""
        options = self.get_params_for("criterion")
        self.criterion_ = self.initialized_instance(LOSSES[self.loss], options)
        return self

    def validate(self, windows: PanelWindows) -> tuple[float, dict[str, Tensor]]:
        """Judge the present weights, see `KeepBest`.

        Parameters
        ----------
        windows : PanelWindows
            The validation part.

        Returns
        -------
        loss : float
            Mean squared error over windows, steps and channels.
        weights : dict of str to Tensor
            State of the module that has this loss.
        """
        sums = torch.zeros(2, dtype=torch.float64)
        for batch in self.processes.own_items(self.get_iterator(windows)):
            errors = self.evaluation_step(batch) - batch[1].to(self.device)
            sums += torch.stack([exact(errors).square().sum().cpu(), torch.tensor(errors.numel())])
        self.processes.add_up([sums])
        squares, count = sums.tolist()
        return squares / count, self.module_.state_dict()

    def get_split_datasets(
        self, X: PanelWindows, y: None = None, **fit_params: Any
    ) -> tuple[PanelWindows, PanelWindows]:
        """Train on the older windows, validate on the newest, with a gap of the horizon between."""
        training, validation = X.split(self.validation_fraction)
        if not len(training) or not len(validation):
            raise ValueError(
                f"series of {X.lengths.tolist()} rows leave {len(training)} windows to train on "
                f"and {len(validation)} to validate on, with a depth of {X.depth} and a horizon of "
                f"{X.horizon}; pass longer series, or a smaller depth or horizon"
            )
        return training, validation

    def get_iterator(self, dataset: Dataset, training: bool = False) -> DataLoader:
        """Iterate over batches, which the windows of a panel gather by themselves."""
        if isinstance(dataset, PanelWindows):
            return DataLoader(dataset, self.batch_size, shuffle=training, collate_fn=as_they_come)
        return super().get_iterator(dataset, training)

    def infer(self, x: Tensor, **fit_params: Any) -> Tensor:
        """Forecast in the precision of the weights, whatever that of the past."""
        return super().infer(torch.as_tensor(x, dtype=self._dtype), **fit_params)

    def train_step_single(self, batch: tuple[Tensor, Tensor], **fit_params: Any) -> dict[str, Any]:
        """Take the gradients of one batch, of which every process computes its part."""
        self._set_training(True)
        (past, future), weight = self.processes.own_part(batch)
        with self._own_dropout():
            forecast, encoded = self._forecast_in_training(past)
            loss = weight * self.get_loss(forecast, future, X=past, training=True)
        loss.backward()
        loss = self._add_up_gradients(loss.detach())
        require_finite_loss(loss, len(self.history))
        self._remember(encoded)
        return {"loss": loss, "y_pred": forecast}

    def _forecast_in_training(self, past: Tensor) -> tuple[Tensor, Tensor | None]:
        """Forecast of the windows of a step, and what an encoder makes of them."""
        return self.infer(past), None

    def _remember(self, encoded: Tensor | None) -> None:
        """Write a step to the memory, if there is one that wants it."""

    def _add_up_gradients(self, loss: Tensor) -> Tensor:
        """Put gradients of the whole batch in the place of those of a part of it; return the loss of the whole."""
        if self.processes.count > 1:
            learned = [weight for weight in self.module_.parameters() if weight.requires_grad]
            for weight in learned:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
            self.processes.add_up([loss, *(weight.grad for weight in learned)])
        return loss

    @contextmanager
    def _own_dropout(self) -> Iterator[None]:
        """Draw for the part of this process, and leave the generator that all have in common as it was."""
        if self.processes.count == 1:
            yield
            return
        place = [len(self.history), len(self.history[-1]["batches"]), self.processes.place]
        drawn = np.random.SeedSequence([draw_seed(self.random_state), *place]).generate_state(1)
        with seeded(int(drawn[0] >> 1), self.device):
            yield

    def _require_seed(self) -> None:
        """Raise where several processes would draw what is to be the same."""
        if self.processes.count > 1 and not isinstance(self.random_state, int | np.integer):
            raise ValueError(
                f"{self.processes.count} processes train together with random_state="
                f"{self.random_state!r}; pass an int, so that all draw the same weights and windows"
            )

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.module_.parameters()).dtype

    def _train(self, panel: Sequence[Tensor]) -> Self:
        self.initialize_optimizer()
        rows = [series.to(self._dtype) for series in panel]
        super().partial_fit(PanelWindows(rows, self.module_.depth, self.module_.horizon))
        self.optimizer_.state.clear()
        return self


class LinearNet(ForecastNet):
    """A linear core that is solved when it is fitted.

    `fit` takes no step; `partial_fit` fine-tunes by epochs. The closed form is the first candidate
    there, so fine-tuning never ends above it on the windows that validate.

    Parameters
    ----------
    solve : callable
        From a panel to its `Solved` core, for example ``partial(solve_linear_core, horizon=96)``.
    **options
        Of `ForecastNet`.

    Examples
    --------
    >>> from functools import partial
    >>> from klforecast.core.solve import solve_linear_core
    >>> wave = torch.sin(torch.arange(200.0) / 4)[:, None]
    >>> net = LinearNet(solve=partial(solve_linear_core, horizon=8)).fit([wave])
    >>> net.predict(wave[None, -net.module_.depth :]).shape
    (1, 8, 1)
    """

    def __init__(
        self,
        module: type[nn.Module] = LinearCore,
        *,
        solve: Callable[[Sequence[Tensor]], Solved],
        **options: Any,
    ):
        super().__init__(module, **options)
        self.solve = solve

    def fit(self, X: Sequence[Tensor], y: None = None, **fit_params: Any) -> Self:
        """Forget everything and solve; parameters as in `ForecastNet.fit`."""
        with unchanged_on_error(self), seeded(self.random_state, self.device):
            return self.adopt(self.solve(X).core)

    def adopt(self, core: LinearCore) -> Self:
        """Forget everything and take over a core that was solved elsewhere.

        Parameters
        ----------
        core : LinearCore
            Becomes ``module_``.
        """
        with unchanged_on_error(self):
            self._solved = (core,)  # skorch refuses a module as such outside of initialize_module
            self.initialize()
            del self._solved
        return self

    def initialize_module(self) -> Self:
        """Take over the core of the panel that is being fitted."""
        if not hasattr(self, "_solved"):
            raise NotFittedError("a LinearNet has no weights before its first fit; call fit")
        (self.module_,) = self._solved
        return self


class EncoderNet(ForecastNet):
    """A `ForecastModule` that is trained by epochs, and the writer of its memory.

    After every epoch each channel's gate is tried at the fraction, from 0 to 1, of its trained
    value that is best on the validation windows: a least-squares problem in one number for each
    channel. The epoch is judged with these gates, and kept with them if it is the best. A channel
    whose correction does not generalise so falls back to the core by itself.

    Parameters
    ----------
    module : type, default=ForecastModule
        Its parameters are passed as ``module__*``.
    **options
        Of `ForecastNet`.
    """

    def __init__(self, module: type[nn.Module] = ForecastModule, **options: Any):
        super().__init__(module, **options)

    def on_train_begin(
        self, net: NeuralNet, X: PanelWindows, y: None = None, **kwargs: Any
    ) -> None:
        """Show the encoder the windows that are trained on, and write their histories."""
        super().on_train_begin(net, X, y, **kwargs)
        if self._memory_source == "trajectory" and self.processes.count > 1:
            raise ValueError(
                f"{self.processes.count} processes have a part of each batch, and a memory of the "
                "trajectory remembers whole ones; pass memory='history', or train in one process"
            )
        # Weights that were trained keep the statistics they know.
        absorbs = self.module_.encoder.absorbs and not self.history
        writes = self._memory_source == "history"
        if not absorbs and not writes:
            return
        training, _ = self.get_split_datasets(X)
        for past, future in DataLoader(training, _WINDOWS_PER_WRITE, collate_fn=as_they_come):
            past = past.to(self.device)
            if absorbs:
                self.module_.absorb(past, future.to(self.device))
            if writes:
                with torch.no_grad():
                    histories = self.module_.histories(past)
                self.module_.memory.append(histories)

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Empty the trajectory."""
        super().on_epoch_begin(net, **kwargs)
        if self._memory_source == "trajectory":
            self.module_.memory.reset()

    def _forecast_in_training(self, past: Tensor) -> tuple[Tensor, Tensor | None]:
        forecast, _, encoded = self.module_.parts(past.to(self.device))
        return forecast, encoded

    def _remember(self, encoded: Tensor | None) -> None:
        if self._memory_source == "trajectory" and encoded is not None:
            self.module_.memory.append(encoded.detach())

    @torch.no_grad()
    def validate(self, windows: PanelWindows) -> tuple[float, dict[str, Tensor]]:
        """Judge the present weights with the best fraction of each gate, see `ForecastNet`."""
        self._set_training(False)
        sums = torch.zeros(3, len(self.module_.gate), dtype=torch.float64)
        for past, future in self.processes.own_items(self.get_iterator(windows)):
            forecast, base, _ = map(exact, self.module_.parts(past.to(self.device)))
            residual, correction = future.to(base) - base, forecast - base
            products = (residual * residual, residual * correction, correction * correction)
            sums += torch.stack([product.sum(dim=(0, 1)) for product in products]).cpu()
        self.processes.add_up([sums])
        error, agreement, size = sums
        fraction = (agreement / size.where(size > 0, 1.0)).clamp(0, 1)
        best = error - 2 * fraction * agreement + fraction**2 * size
        gate = self.module_.gate * fraction.to(self.module_.gate)
        count = len(windows) * self.module_.horizon * len(gate)
        return best.sum().item() / count, {**self.module_.state_dict(), "gate": gate}

    @property
    def _memory_source(self) -> str:
        memory = self.module_.memory
        return "none" if memory is None else memory.source

    def _train(self, panel: Sequence[Tensor]) -> Self:
        super()._train(panel)
        memory = self.module_.memory
        if memory is not None:
            memory.freeze()
            if memory.source == "trajectory" and memory.store.empty:
                warnings.warn(
                    "the memory of the training run is empty: on the validation part no epoch was "
                    "better than the weights before the first step, which have remembered nothing; "
                    "forecasts are made without it. Pass more max_epochs, another lr, or "
                    "memory='history'",
                    stacklevel=2,
                )
        return self
