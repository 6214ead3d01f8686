"""The smoothness prior of a memory: the modes of a kernel over its rows, which need no data.

    "interval"   weight of a row  tau / (T - 1)    as Spectral Memory has it (Marquez 2025)
    "unit"                        1 / T            eigenvalues sum to one, whatever T and tau

Both give the same modes; components differ by one factor, the root of tau T / (T - 1).
"""

from functools import lru_cache

from klforecast.ops.kl import KLDecomposition, kernel_kl
from klforecast.ops.measures import interval_measure

MEASURES = ("interval", "unit")


@lru_cache(maxsize=64)
def kernel_prior(
    T: int, n_components: int, kernel: str, tau: float, measure: str
) -> KLDecomposition:
    """Modes of a kernel over T rows, decomposed once for each T in a process.

    Parameters
    ----------
    T, n_components : int
    kernel, tau
        As for `klforecast.ops.kl.kernel_kl`.
    measure : {"interval", "unit"}
        Weight of a row; see the top of this file.

    Returns
    -------
    KLDecomposition

    Notes
    -----
    O(T**3) time.
    """
    weight = interval_measure(T, tau) if measure == "interval" else None
    return kernel_kl(T, n_components, kernel, tau, weight)
