"""A skorch net for long training: Accelerate, a schedule per step, checkpoints that resume.

    AcceleratedNet    AdamW with warm-up and cosine decay, clipping, mixed precision, any number of
                      processes; what it does depends on the seed, the epoch and the global batch
    Checkpoint        writes all there is after every epoch, and goes on from it

An epoch's order of sequences and its dropout are functions of the seed and of the number of the
epoch, so that a run that was interrupted and resumed equals one that was not, bit for bit. Needs
Accelerate (`pip install klforecast[lra]`).
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Self
from zipfile import is_zipfile

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, WandbLogger
from skorch.dataset import unpack_data
from skorch.hf import AccelerateMixin
from skorch.history import History
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from klforecast.modules.ssm.layer import MASK_RATE, NOT_DECAYED
from klforecast.training.batches import as_they_come, require_finite_loss
from klforecast.training.callbacks import KeepBest, warm_cosine
from klforecast.training.seeding import seeded

if TYPE_CHECKING:
    from accelerate import Accelerator


def make_accelerator(mixed_precision: str = "no", cpu: bool = False) -> "Accelerator":
    """Accelerator whose batches are shared out among the processes.

    Parameters
    ----------
    mixed_precision : {"no", "bf16", "fp16"}, default="no"
        Precision of the products.
    cpu : bool, default=False
        Compute on the CPU, whatever else there is.

    Raises
    ------
    ImportError
        If Accelerate is not installed.
    """
    try:
        from accelerate import Accelerator
        from accelerate.utils import DataLoaderConfiguration
    except ImportError as error:
        raise ImportError("this needs Accelerate: pip install klforecast[lra]") from error
    return Accelerator(
        mixed_precision=mixed_precision,
        cpu=cpu,
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )


def leave_processes() -> None:
    """Leave the group of processes, if this one is in any.

    A program calls it last: a process that ends inside its group may abort when its threads are
    taken down, after all the work is done.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class CrossEntropy:
    """Mean cross-entropy. No torch module: one without parameters cannot be given to processes."""

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch."""
        return nn.functional.cross_entropy(logits, labels)


class AcceleratedNet(AccelerateMixin, NeuralNet):
    """Classify, on one process or on many, and end with the weights of lowest validation loss.

    Parameters
    ----------
    module : type
        Class of the torch module; its parameters are passed as ``module__*``.
    accelerator : Accelerator
        See `make_accelerator`.
    validation : Dataset
        Stops training; it gives batches by ``__getitems__``, as the data of `fit` do.
    warmup : float, default=0.1
        Share of the steps of all epochs in which the rate rises.
    clip_norm : float, default=1.0
        Largest norm of the gradient.
    patience : int, default=10
        Epochs without a lower validation loss after which training stops.
    seed : int, default=0
        Of weights, order and dropout. The global generators stay as they are.
    checkpoint : Path, default=None
        File that is written after every epoch, and that training goes on from if it exists.
    about : str, default=""
        Description that the file carries; `described` reads it.
    **options
        Of `skorch.NeuralNet`: max_epochs, batch_size (over all processes), lr, callbacks and so on.
        Decays, steps, frequencies and masks have no weight decay; masks learn ten times as fast.
    """

    def __init__(
        self,
        module: type[nn.Module],
        *,
        accelerator: "Accelerator",
        validation: Dataset,
        warmup: float = 0.1,
        clip_norm: float = 1.0,
        patience: int = 10,
        seed: int = 0,
        checkpoint: Path | None = None,
        about: str = "",
        criterion: type = CrossEntropy,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        train_split: None = None,
        verbose: int = 0,
        **options: Any,
    ):
        rates = {"*logits": {"rate": MASK_RATE}}
        options.setdefault(
            "optimizer__param_groups",
            [(name, {"weight_decay": 0.0, **rates.get(name, {})}) for name in NOT_DECAYED],
        )
        # Left to itself, the line of an epoch is printed whatever `verbose` says.
        options.setdefault("callbacks__print_log__sink", "auto" if verbose else _say_nothing)
        super().__init__(
            module,
            accelerator=accelerator,
            criterion=criterion,
            optimizer=optimizer,
            train_split=train_split,
            verbose=verbose,
            **options,
        )
        self.validation = validation
        self.warmup = warmup
        self.clip_norm = clip_norm
        self.patience = patience
        self.seed = seed
        self.checkpoint = checkpoint
        self.about = about

    def fit(self, X: Dataset, y: None = None, **fit_params: Any) -> Self:
        """Train, from the checkpoint if there is one.

        Parameters
        ----------
        X : Dataset
            Training part; it gives batches of inputs and classes by ``__getitems__``.
        y : None
            Ignored.

        Raises
        ------
        KLForecastError
            If the training loss is not finite.
        KeyboardInterrupt
            If training was interrupted; the checkpoint stays.
        """
        with seeded(self.seed):
            self.initialize()
        self.partial_fit(X)
        if not self.is_through:
            raise KeyboardInterrupt  # skorch takes it for an early end of training
        return self

    @property
    def is_through(self) -> bool:
        """Whether training has come to its end."""
        # The history counts an epoch that was interrupted.
        return self._keep_best.epochs_ >= self.max_epochs or self._keep_best.exhausted

    def progress(self) -> tuple[int, bool]:
        """Epochs trained according to the checkpoint, and whether training has come to its end."""
        with seeded(self.seed):
            self.initialize()
        self.notify("on_train_begin")
        return self._keep_best.epochs_, self.is_through

    @property
    def best_epoch(self) -> int:
        """Epochs trained when the validation loss was lowest."""
        return self._keep_best.best_epoch_

    def fit_loop(self, X: Dataset, y: None = None, epochs: None = None, **fit_params: Any) -> Self:
        """Train epoch by epoch, each with its own seed."""
        while not self.is_through:
            generator = np.random.SeedSequence(
                [self.seed, len(self.history), self.accelerator.process_index]
            )
            with seeded(int(generator.generate_state(1)[0] >> 1), self.accelerator.device):
                super().fit_loop(X, y, epochs=1, **fit_params)
        return self

    def get_default_callbacks(self) -> list:
        """Those of skorch, the one that keeps the best weights, and the checkpoints."""
        callbacks = [*super().get_default_callbacks(), ("keep_best", KeepBest(self.patience))]
        if self.checkpoint is not None:
            callbacks.append(("checkpoint", Checkpoint(self.checkpoint, self.about)))
        return callbacks

    def get_split_datasets(
        self, X: Dataset, y: None = None, **fit_params: Any
    ) -> tuple[Dataset, Dataset]:
        """Train on all of `X`; the validation part is given."""
        return X, self.validation

    def get_iterator(self, dataset: Dataset, training: bool = False) -> DataLoader:
        """Iterate over batches, in training in the order of this epoch."""
        n = len(dataset)  # type: ignore[arg-type]  # torch declares no length for its data sets
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + len(self.history))
        order = torch.randperm(n, generator=generator) if training else torch.arange(n)
        batches = _Batches(order, min(self.batch_size, n), drop_last=training)
        loader = DataLoader(dataset, batch_sampler=batches, collate_fn=as_they_come)
        return self.accelerator.prepare(loader)

    def run_single_epoch(self, iterator: DataLoader, training: bool, **kwargs: Any) -> None:
        """Train for an epoch; on the validation part `KeepBest` alone looks."""
        if training:
            self.epoch_began_ = time.process_time()
            self.steps_per_epoch_ = len(iterator)
            self.step_ = (len(self.history) - 1) * self.steps_per_epoch_
            super().run_single_epoch(iterator, training=training, **kwargs)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take the gradients of one batch, at the rate of this step."""
        factor = warm_cosine(self.step_, self.steps_per_epoch_ * self.max_epochs, self.warmup)
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * factor * group.get("rate", 1)
        self.step_ += 1
        step = super().train_step_single(batch, **fit_params)
        require_finite_loss(step["loss"], len(self.history))
        return step

    def on_grad_computed(self, net: NeuralNet, named_parameters: Any, **kwargs: Any) -> None:
        """Clip the gradient, over all processes."""
        super().on_grad_computed(net, named_parameters, **kwargs)
        self.accelerator.clip_grad_norm_(self.module_.parameters(), self.clip_norm)

    def validate(self, dataset: Dataset) -> tuple[float, dict[str, Tensor]]:
        """Loss and weights, for `KeepBest`; accuracy and CPU time go into the history."""
        loss, accuracy = self.judge(dataset)
        if hasattr(self, "epoch_began_"):  # not yet when the first weights are judged
            self.history.record("cpu_seconds", time.process_time() - self.epoch_began_)
        self.history.record("valid_loss", loss)
        self.history.record("valid_accuracy", accuracy)
        return loss, self.accelerator.unwrap_model(self.module_).state_dict()

    @torch.no_grad()
    def judge(self, dataset: Dataset) -> tuple[float, float]:
        """Cross-entropy and accuracy of the present weights, on all processes the same."""
        self._set_training(False)
        loss, n_right, n = 0.0, 0, 0
        for batch in self.get_iterator(dataset):
            inputs, labels = unpack_data(batch)
            with self.accelerator.autocast():
                logits = self.infer(inputs).float()
            logits, labels = self.accelerator.gather_for_metrics((logits, labels))
            loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            n_right += int((logits.argmax(dim=1) == labels).sum())
            n += len(labels)
        return loss / n, n_right / n

    @property
    def _keep_best(self) -> KeepBest:
        return dict(self.callbacks_)["keep_best"]


class Checkpoint(Callback):
    """Write all that training goes on from after every epoch, and go on from it.

    Parameters
    ----------
    path : Path
        File; only the first process writes it.
    about : str, default=""
        Description to write into it.

    Notes
    -----
    Weights, optimiser, scale of half precision, history, and the best weights so far. The file is
    replaced as a whole, so that an interruption leaves the last one.
    """

    def __init__(self, path: Path, about: str = ""):
        self.path = path
        self.about = about

    def on_train_begin(self, net: AcceleratedNet, **kwargs: Any) -> None:
        """Go on from the file, if there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location=net.accelerator.device, weights_only=True)
        net.accelerator.unwrap_model(net.module_).load_state_dict(state["module"])
        net.optimizer_.load_state_dict(state["optimizer"])
        net.history = History(json.loads(state["history"]))
        # By the names that are there: a file adds none.
        for name in _fitted(net._keep_best):
            setattr(net._keep_best, name, state["keep_best"][name])
        if net.accelerator.scaler is not None:
            net.accelerator.scaler.load_state_dict(state["scaler"])

    def on_epoch_end(self, net: AcceleratedNet, **kwargs: Any) -> None:
        """Replace the file."""
        if not net.accelerator.is_main_process:
            return
        scaler = net.accelerator.scaler
        state = {
            "module": net.accelerator.unwrap_model(net.module_).state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            # As text: a history holds numbers of numpy, which a safe loader refuses.
            "history": json.dumps(net.history.to_list(), default=float),
            "keep_best": _fitted(net._keep_best),
            "scaler": None if scaler is None else scaler.state_dict(),
            "about": self.about,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"{self.path.name}.part")
        torch.save(state, unfinished)
        os.replace(unfinished, self.path)


def _fitted(callback: Callback) -> dict[str, Any]:
    """What a callback has learned, by name."""
    return {name: value for name, value in vars(callback).items() if name.endswith("_")}


def described(path: Path) -> str:
    """Return the description that a checkpoint carries; empty where it has none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no file of tensors.
    """
    sentence = f"{path} is no checkpoint; pass a file that training wrote with `checkpoint`"
    with path.open("rb") as file:
        if not is_zipfile(file):  # what torch reads otherwise is a bare pickle
            raise ValueError(sentence)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError) as error:
        raise ValueError(sentence) from error
    about = state.get("about", "") if isinstance(state, dict) else ""
    return about if isinstance(about, str) else ""


def wandb_logger(project: str, name: str) -> Callback:
    """Logger of every epoch to Weights & Biases; without a connection under WANDB_MODE=offline.

    Raises
    ------
    ImportError
        If wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise ImportError("this needs wandb: pip install klforecast[wandb]") from error
    return WandbLogger(wandb.init(project=project, name=name), save_model=False)


class _Batches:
    """Batch sampler over a given order, which Accelerate can share out among processes."""

    def __init__(self, order: Tensor, batch_size: int, drop_last: bool):
        self.order = order
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __len__(self) -> int:
        whole, rest = divmod(len(self.order), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.order.split(self.batch_size)[: len(self)]:
            yield batch.tolist()


def _say_nothing(*_: Any) -> None:
    pass
