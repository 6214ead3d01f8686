"""Which series of a large panel are asked where one choice is made for all of them.

Cycles, weights of experts, laws of errors and the priors of local experts are the same for a whole panel, and a few
thousand series say what they are. Those are taken whose labels have the smallest hash: a choice that depends on
nothing else, so that the sample of a panel is the sample of the samples of its parts.
"""

from collections.abc import Iterable
from hashlib import blake2b

from klforecast.estimators.frames.panel import Key

# Every series of the panels that the constants were chosen on (docs/evidence/choices.md); the standard error of a mean
# over so many is 2 % of the deviation of one.
MOST_SAMPLED = 2048
_DIGEST_BYTES = 8  # two of 10^6 labels agree with a probability of 10^-8, and both may be taken


def hashed(key: Key) -> bytes:
    """A number of a series that is the same on every machine.

    Examples
    --------
    >>> hashed(("north", 3)).hex()
    '8478d96935e925b8'
    """
    return blake2b("\x1f".join(map(str, key)).encode(), digest_size=_DIGEST_BYTES).digest()


def sample_keys(keys: Iterable[Key]) -> list[Key]:
    """At most 2,048 series, in the order in which they came.

    Parameters
    ----------
    keys : iterable of tuple
        Labels of each series.

    Examples
    --------
    >>> len(sample_keys((number,) for number in range(5000)))
    2048
    """
    whole = list(keys)
    if len(whole) <= MOST_SAMPLED:
        return whole
    chosen = set(sorted(whole, key=hashed)[:MOST_SAMPLED])
    return [key for key in whole if key in chosen]
