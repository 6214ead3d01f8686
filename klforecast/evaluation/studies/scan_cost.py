"""What the scans cost, beside torch's `associative_scan` and, where installed, mambapy's `pscan`.

    python -m klforecast.evaluation.studies.scan_cost --table docs/results/scan_cost.md

Every scan runs in a fresh process with one thread. Times are CPU time (`time.process_time`), the
best of several repeats, since other work on a machine only adds to it; memory is the growth of the
process's peak over what the inputs need. All of them keep `state` real numbers per channel: the
spectral scans as state / 2 complex modes.
"""

import importlib
import importlib.util
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.command import make_parser, write_page
from klforecast.ops.scan import modal_filter, spectral_scan, spectral_scan_loop


class Size(NamedTuple):
    """Sizes of one measurement."""

    batch: int = 16
    length: int = 1024
    channels: int = 64
    state: int = 16  # real numbers per channel
    heads: int = 4  # of the spectral scans


class Cost(NamedTuple):
    """One row of the comparison: milliseconds of CPU time and MiB of memory."""

    name: str
    forward_ms: float
    forward_backward_ms: float
    peak_mib: float


def real_associative_scan(
    x: Tensor,  # (batch, length, channels)
    step: Tensor,  # (batch, length, channels)
    decay: Tensor,  # (channels, state)
    write: Tensor,  # (batch, length, state)
    read: Tensor,  # (batch, length, state)
) -> Tensor:
    """S6's real recurrence, h[t] = exp(-step decay) h[t-1] + step write x, by torch's scan."""
    from torch._higher_order_ops import associative_scan

    def combine(early: tuple[Tensor, Tensor], late: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return early[0] * late[0], late[0] * early[1] + late[1]

    keep, written = _s6_terms(x, step, decay, write)
    _, states = associative_scan(combine, (keep, written), dim=1, combine_mode="generic")
    return torch.einsum("bldn,bln->bld", states, read)


def real_pscan(x: Tensor, step: Tensor, decay: Tensor, write: Tensor, read: Tensor) -> Tensor:
    """S6's real recurrence by mambapy's parallel scan; arguments as `real_associative_scan`."""
    pscan = importlib.import_module("mambapy.pscan").pscan
    return torch.einsum("bldn,bln->bld", pscan(*_s6_terms(x, step, decay, write)), read)


def _s6_terms(x: Tensor, step: Tensor, decay: Tensor, write: Tensor) -> tuple[Tensor, Tensor]:
    keep = torch.exp(-step[..., None] * decay)  # (batch, length, channels, state)
    return keep, (step * x)[..., None] * write[:, :, None, :]


def s6_inputs(size: Size) -> list[Tensor]:
    """Random inputs of the real scans."""
    normal = _normal()
    return [
        normal(size.batch, size.length, size.channels),
        0.1 * normal(size.batch, size.length, size.channels).exp(),
        normal(size.channels, size.state).exp(),
        normal(size.batch, size.length, size.state),
        normal(size.batch, size.length, size.state),
    ]


def spectral_inputs(size: Size) -> list[Tensor]:
    """Random inputs of the selective spectral scans."""
    normal, modes = _normal(), size.state // 2
    return [
        normal(size.batch, size.length, size.heads, size.channels // size.heads),
        0.1 * normal(size.batch, size.length, size.heads).exp(),
        normal(size.heads).exp(),
        3 * normal(size.heads, modes),
        torch.view_as_complex(normal(size.batch, size.length, modes, 2)),
        torch.view_as_complex(normal(size.batch, size.length, modes, 2)),
    ]


def modal_inputs(size: Size) -> list[Tensor]:
    """Random inputs of the time-invariant filter."""
    normal, modes, width = _normal(), size.state // 2, size.channels // size.heads
    return [
        normal(size.batch, size.length, size.heads, width),
        torch.complex(-0.1 * normal(size.heads, modes).exp(), normal(size.heads, modes)),
        torch.view_as_complex(normal(size.heads, width, modes, 2)),
    ]


SCANS: dict[str, tuple[Callable[..., Tensor | tuple[Tensor, Tensor]], Callable[[Size], list]]] = {
    "spectral_scan": (spectral_scan, spectral_inputs),
    "modal_filter": (modal_filter, modal_inputs),
    "spectral_scan_loop": (spectral_scan_loop, spectral_inputs),
    "torch associative_scan": (real_associative_scan, s6_inputs),
    "mambapy pscan": (real_pscan, s6_inputs),
}


def measure(name: str, size: Size, repeats: int = 3) -> Cost:
    """Cost of one scan of `SCANS` in this process, with one thread."""
    run, make_inputs = SCANS[name]
    with one_thread():
        _timed(run, make_inputs(size._replace(batch=1, length=2)))  # imports and allocator
        inputs = make_inputs(size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        times = [_timed(run, inputs) for _ in range(repeats)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    forward, both = (1e3 * min(column) for column in zip(*times, strict=True))
    return Cost(name, forward, both, peak / 1024)


def measure_all(size: Size, repeats: int = 3) -> list[Cost]:
    """Cost of every scan that is installed, each in a process of its own."""
    names = [name for name in SCANS if "mambapy" not in name or importlib.util.find_spec("mambapy")]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        return [pool.submit(measure, name, size, repeats).result() for name in names]


def _timed(run: Callable, inputs: list[Tensor]) -> tuple[float, float]:
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    start = time.process_time()
    result = run(*leaves)
    y = result[0] if isinstance(result, tuple) else result
    forward = time.process_time()
    y.square().sum().backward()
    return forward - start, time.process_time() - start


def _normal() -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def render_table(costs: Sequence[Cost]) -> str:
    """Write a Markdown table; its last column but one compares times with the first scan."""
    lines = [
        "| scan | forward ms | forward + backward ms | times the first | peak MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for cost in costs:
        ratio = cost.forward_backward_ms / costs[0].forward_backward_ms
        lines.append(
            f"| {cost.name} | {cost.forward_ms:.0f} | {cost.forward_backward_ms:.0f} "
            f"| {ratio:.1f} | {cost.peak_mib:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write it where asked."""
    parser = make_parser(__doc__)
    for field, default in Size._field_defaults.items():
        parser.add_argument(f"--{field}", type=int, default=default)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument(
        "--table", type=Path, help="file to write the table to; default: the terminal"
    )
    options = vars(parser.parse_args(arguments))
    repeats, path = options.pop("repeats"), options.pop("table")
    write_page(render_table(measure_all(Size(**options), repeats)), path)


if __name__ == "__main__":
    main()
