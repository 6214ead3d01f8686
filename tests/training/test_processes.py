"""An encoder that several processes train together is the one that a single process trains."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

pytest.importorskip("accelerate", reason="processes that train together need accelerate")

from klforecast import KLMemoryForecaster
from klforecast.training.processes import Processes

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, pickle, sys
import numpy as np
import pandas as pd
import torch
from klforecast import KLMemoryForecaster
from klforecast.training.accelerated import leave_processes
from klforecast.training.processes import Processes

torch.set_num_threads(1)
out, options = sys.argv[1], json.loads(sys.argv[2])
t = np.arange(300)
rng = np.random.default_rng(0)
values = np.sin(2 * np.pi * t / 12)[:, None] * [1.0, 2.0] + 0.3 * rng.normal(size=(300, 2))
y = pd.DataFrame(values, columns=["a", "b"])
forecaster = KLMemoryForecaster(6, device="accelerate", **options).fit(y)
forecaster = pickle.loads(pickle.dumps(forecaster))
loss = [float(epoch["train_loss"]) for epoch in forecaster.net_.history]
place = Processes.launched().place
with open(f"{out}-{place}.json", "w") as file:
    json.dump({"forecast": forecaster.predict().to_numpy().tolist(), "loss": loss}, file)
leave_processes()
"""
SERIES = pd.Series(np.sin(np.arange(300) / 2))
OPTIONS = {
    "encoder": "transformer",
    "input_length": 24,
    "memory_depth": 60,
    "d_model": 8,
    "n_heads": 2,
    "d_ff": 16,
    "n_layers": 1,
    "patch_length": 6,
    "max_epochs": 2,
    "batch_size": 33,
    "lr": 1e-2,
    "random_state": 0,
    "local_experts": False,
    "linear_core": False,
}


def run(folder, processes, **changed):
    """What each process found."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    options = json.dumps({**OPTIONS, **changed})
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    out = folder / f"{processes}"
    done = subprocess.run(
        [sys.executable, *(launch if processes > 1 else []), str(program), str(out), options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [
        json.loads((folder / f"{processes}-{place}.json").read_text()) for place in range(processes)
    ]


def test_two_processes_equal_one(tmp_path):
    (alone,) = run(tmp_path, 1, dropout=0.0)
    first, second = run(tmp_path, 2, dropout=0.0)
    assert first == second
    np.testing.assert_allclose(first["loss"], alone["loss"], rtol=1e-5)
    np.testing.assert_allclose(first["forecast"], alone["forecast"], rtol=1e-4)
    assert len(alone["loss"]) == OPTIONS["max_epochs"]
    assert alone["loss"][1] < alone["loss"][0]


def test_processes_that_drop_different_features_end_alike(tmp_path):
    first, second = run(tmp_path, 2, dropout=0.3)
    assert first == second


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"random_state": None}, "pass an int"), ({"memory": "trajectory"}, "pass memory='history'")],
)
def test_what_processes_cannot_share_is_refused(monkeypatch, changed, message):
    monkeypatch.setattr(Processes, "launched", lambda: Processes(0, 2))
    forecaster = KLMemoryForecaster(6, device="accelerate", **{**OPTIONS, **changed})
    with pytest.raises(ValueError, match=message):
        forecaster.fit(SERIES)


def test_one_process_is_what_another_device_is():
    launched, cpu = (
        KLMemoryForecaster(**{"horizon": 6, **OPTIONS}, device=device).fit(SERIES).predict()
        for device in ("accelerate", "cpu")
    )
    pd.testing.assert_series_equal(launched, cpu)


def test_parts_of_a_batch_are_all_of_it_and_weigh_one():
    batch = [torch.arange(7), torch.arange(7) * 2]
    for count in (1, 2, 3, 7):
        parts = [Processes(place, count).own_part(batch) for place in range(count)]
        assert torch.equal(torch.cat([part[0] for part, _ in parts]), batch[0])
        assert torch.equal(torch.cat([part[1] for part, _ in parts]), batch[1])
        assert sum(weight for _, weight in parts) == pytest.approx(1)


def test_of_fewer_windows_than_processes_everybody_computes_all():
    part, weight = Processes(2, 4).own_part([torch.arange(3)])
    assert part[0].tolist() == [0, 1, 2]
    assert weight == 0.25
