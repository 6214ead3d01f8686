import json
import os
import subprocess
import sys
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from klforecast.exceptions import KLForecastError
from klforecast.modules.ssm.heads import SequencePredictor

pytest.importorskip("accelerate", reason="long training needs accelerate")

from klforecast.training.accelerated import AcceleratedNet, make_accelerator
from klforecast.training.callbacks import warm_cosine

ROOT = Path(__file__).parents[2]
BACKBONE = {"vocab_size": 5, "d_model": 8, "n_layers": 1, "n_modes": 4, "n_heads": 2}


class Marks(Dataset):
    """Tokens; the class is whether token 1 occurs more often than token 2."""

    def __init__(self, n: int, seed: int):
        generator = np.random.default_rng(seed)
        self.tokens = generator.integers(1, 5, (n, 9))
        self.labels = ((self.tokens == 1).sum(1) > (self.tokens == 2).sum(1)).astype(np.int64)

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, indices):
        tokens = torch.from_numpy(self.tokens[indices])
        inputs = {"x": tokens, "mask": torch.ones_like(tokens, dtype=torch.bool)}
        return inputs, torch.from_numpy(self.labels[indices])


def make_net(max_epochs=3, accelerator=None, kind=AcceleratedNet, **options):
    backbone = {f"module__{name}": value for name, value in BACKBONE.items()}
    return kind(
        SequencePredictor,
        accelerator=accelerator or make_accelerator(cpu=True),
        validation=Marks(22, seed=1),
        module__n_outputs=2,
        max_epochs=max_epochs,
        **{"batch_size": 16, "lr": 1e-2, **backbone, **options},
    )


def assert_same_weights(left: nn.Module, right: nn.Module):
    for (name, a), b in zip(left.state_dict().items(), right.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


class Interrupted(Marks):
    """A training part whose reader is interrupted in a given batch."""

    def __init__(self, n, seed, at):
        super().__init__(n, seed)
        self.left = at

    def __getitems__(self, indices):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().__getitems__(indices)


@pytest.mark.parametrize("at", [3, 6, 11])
def test_resumed_training_equals_training_that_was_not_interrupted(tmp_path, at):
    whole = make_net(module__dropout=0.3).fit(Marks(64, seed=0))
    checkpoint = tmp_path / "state" / "net.pt"
    with pytest.raises(KeyboardInterrupt):
        make_net(module__dropout=0.3, checkpoint=checkpoint).fit(Interrupted(64, 0, at))
    resumed = make_net(module__dropout=0.3, checkpoint=checkpoint).fit(Marks(64, seed=0))
    assert_same_weights(whole.module_, resumed.module_)
    for name in ("train_loss", "valid_loss", "valid_accuracy"):
        assert whole.history[:, name] == resumed.history[:, name]
    assert whole.judge(Marks(30, seed=2)) == resumed.judge(Marks(30, seed=2))


class Touch:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(tmp_path):
    torch.save({"module": Touch(tmp_path / "marker")}, tmp_path / "net.pt")
    with pytest.raises(UnpicklingError):
        make_net(checkpoint=tmp_path / "net.pt").fit(Marks(64, seed=0))
    assert not (tmp_path / "marker").exists()


def test_a_checkpoint_adds_no_attribute_to_what_reads_it(tmp_path):
    checkpoint = tmp_path / "net.pt"
    make_net(checkpoint=checkpoint).fit(Marks(64, seed=0))
    state = torch.load(checkpoint, weights_only=True)
    state["keep_best"]["on_epoch_end"] = None
    torch.save(state, checkpoint)
    resumed = make_net(checkpoint=checkpoint).fit(Marks(64, seed=0))
    assert "on_epoch_end" not in vars(resumed._keep_best)


def test_a_finished_checkpoint_is_not_trained_on(tmp_path):
    checkpoint = tmp_path / "net.pt"
    first = make_net(checkpoint=checkpoint).fit(Marks(64, seed=0))
    again = make_net(checkpoint=checkpoint).fit(Interrupted(64, 0, at=0))
    assert_same_weights(first.module_, again.module_)


def test_nothing_is_printed_unless_asked(capsys):
    make_net(max_epochs=1).fit(Marks(64, seed=0))
    assert not capsys.readouterr().out
    make_net(max_epochs=1, verbose=1).fit(Marks(64, seed=0))
    assert "valid_accuracy" in capsys.readouterr().out


def test_the_seed_decides_and_the_global_generator_stays():
    before = torch.get_rng_state()
    nets = [make_net(seed=seed, max_epochs=1).fit(Marks(64, seed=0)) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_weights(nets[0].module_, nets[1].module_)
    assert not torch.equal(nets[0].module_.head.weight, nets[2].module_.head.weight)


def test_training_stops_early_and_ends_with_the_best_weights():
    net = make_net(max_epochs=30, patience=2, lr=0.5, warmup=0.0).fit(Marks(64, seed=0))
    losses = net.history[:, "valid_loss"]
    assert len(losses) == net.best_epoch + 2 < 30
    loss, _ = net.judge(net.validation)
    assert loss == pytest.approx(min(losses) if net.best_epoch else loss)


def test_the_rate_follows_the_steps_and_decays_and_frequencies_have_no_weight_decay():
    net = make_net(max_epochs=2, module__adaptive_mask=True).fit(Marks(64, seed=0))
    assert net.step_ == 8
    groups = net.optimizer_.param_groups
    last = 1e-2 * warm_cosine(7, 8, 0.1)
    masks = [group for group in groups if "rate" in group]
    assert [group["lr"] for group in masks] == [pytest.approx(10 * last)]
    assert all(group["lr"] == pytest.approx(last) for group in groups if group not in masks)
    decayed = [p.numel() for group in groups if group["weight_decay"] for p in group["params"]]
    free = [p.numel() for group in groups if not group["weight_decay"] for p in group["params"]]
    assert sum(free) == sum(
        p.numel()
        for name, p in net.module_.named_parameters()
        if name.endswith(("raw_decay", "raw_step", "frequency", "logits"))
    )
    assert sum(decayed) > sum(free)


def test_gradients_are_clipped_to_the_norm():
    class Looking(AcceleratedNet):
        norms: list[float] = []

        def on_grad_computed(self, net, named_parameters, **kwargs):
            super().on_grad_computed(net, named_parameters, **kwargs)
            gradients = [p.grad.flatten() for p in self.module_.parameters()]
            self.norms.append(torch.cat(gradients).norm().item())

    net = make_net(max_epochs=1, clip_norm=1e-3, kind=Looking)
    net.fit(Marks(64, seed=0))
    assert net.norms == pytest.approx([1e-3] * 4, rel=1e-3)


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(KLForecastError, match="pass a smaller lr"):
        make_net(lr=1e30, warmup=0.0, clip_norm=1e30, max_epochs=20, patience=20).fit(Marks(64, 0))


PROGRAM = """
import json, sys, torch
torch.set_num_threads(1)
torch.set_default_dtype(getattr(torch, sys.argv[3]))
from klforecast.training.accelerated import leave_processes
from tests.training.test_accelerated import Marks, make_net, make_accelerator

net = make_net(accelerator=make_accelerator(sys.argv[2], cpu=True)).fit(Marks(70, seed=0))
judged = net.judge(Marks(31, seed=2))
if net.accelerator.is_main_process:
    weights = {name: value.tolist() for name, value in net.module_.state_dict().items()}
    said = {"weights": weights, "judged": judged, "losses": net.history[:, "valid_loss"]}
    said["processes"] = net.accelerator.num_processes
    open(sys.argv[1], "w").write(json.dumps(said))
leave_processes()
"""


def run_program(folder: Path, processes: int, mixed_precision="no", dtype="float64"):
    (folder / "program.py").write_text(PROGRAM)
    out = folder / f"{processes}-{mixed_precision}.json"
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launch if processes > 1 else [])]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder / "program.py"), str(out), mixed_precision, dtype],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def test_two_processes_equal_one_with_the_same_global_batch(tmp_path):
    one, two = run_program(tmp_path, 1), run_program(tmp_path, 2)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["judged"] == pytest.approx(one["judged"], rel=1e-9)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-9)
    for name, value in one["weights"].items():
        np.testing.assert_allclose(two["weights"][name], value, rtol=1e-7, atol=1e-10)


def test_mixed_precision_trains_close_to_full_precision(tmp_path):
    full, half = (run_program(tmp_path, 1, name, "float32") for name in ("no", "bf16"))
    assert half["losses"] != pytest.approx(full["losses"], rel=1e-5)
    assert half["losses"] == pytest.approx(full["losses"], rel=0.05)


def test_a_run_is_logged_to_wandb_without_a_connection(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="the logger needs wandb")
    from klforecast.training.accelerated import wandb_logger

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    logger = wandb_logger("klforecast-test", name="listops-seed0")
    make_net(max_epochs=2, callbacks=[logger]).fit(Marks(32, seed=0))
    logged = dict(wandb.run.summary)
    wandb.finish()
    assert {"train_loss", "valid_loss", "valid_accuracy"} <= set(logged)
    assert list(tmp_path.rglob("*.wandb"))
