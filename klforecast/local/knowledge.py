"""What local experts learn from a whole panel, and every series of it then takes for granted.

A series is weighed by its own errors beside what the panel says: what experts, laws and scales were found for the
series that are like it, the shape of the errors, and where all are judged. With that at hand the series of a panel may
come in any parts, one after another or on several machines, and each has the weights that it has among all others.

Letters   T rows of the longest series, S series that others follow, E experts
"""

from typing import NamedTuple

import numpy as np

from klforecast.local.experts import Bank
from klforecast.local.law_weights import PanelLaws
from klforecast.local.likeness import Kin
from klforecast.local.origins import Origins


class PanelExtent(NamedTuple):
    """How large a panel is of which some series are known.

    Attributes
    ----------
    series : int
        How many there are.
    rows : int
        Of the longest one.
    """

    series: int
    rows: int


class PanelKnowledge(NamedTuple):
    """What the series of a panel have in common.

    Attributes
    ----------
    horizon : int
        For which all are judged.
    rows : int
        T, of the newest that are looked at.
    bank : Bank
    origins : Origins
    kin : Kin
    found : tuple of two ndarrays of shape (S, E)
        Weights of the experts for each of the kin, in near and in all steps.
    laws : PanelLaws
    """

    horizon: int
    rows: int
    bank: Bank
    origins: Origins
    kin: Kin
    found: tuple[np.ndarray, np.ndarray]
    laws: PanelLaws
