"""The experts of the linear core. A new one is a file beside these and a line in `EXPERTS`."""

from klforecast.core.experts.base import (
    Expert,
    Fold,
    Moments,
    Setting,
    folded_gram,
    shares,
)
from klforecast.core.experts.drift import DriftExpert
from klforecast.core.experts.folded import FoldedExpert
from klforecast.core.experts.growth import GrowthExpert
from klforecast.core.experts.level import LevelExpert
from klforecast.core.experts.ridge import RidgeExpert
from klforecast.core.experts.seasonal import SeasonalExpert

__all__ = [
    "EXPERTS",
    "DriftExpert",
    "Expert",
    "Fold",
    "FoldedExpert",
    "GrowthExpert",
    "LevelExpert",
    "Moments",
    "RidgeExpert",
    "SeasonalExpert",
    "Setting",
    "folded_gram",
    "shares",
]

EXPERTS: dict[str, type[Expert]] = {
    kind.__name__: kind
    for kind in (
        RidgeExpert,
        FoldedExpert,
        LevelExpert,
        SeasonalExpert,
        DriftExpert,
        GrowthExpert,
    )
}
"""By name, in the order in which a core asks them what they propose."""
