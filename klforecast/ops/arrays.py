"""The place where numpy meets torch.

An array may be a view with negative strides, read-only, in the byte order of another machine or of
a type that torch does not have. A tensor that shares the memory of an array inherits its alignment
too, on which the last bits of a product may depend. So the numbers are copied, and two arrays of
equal numbers become the same tensor however they lie in memory.
"""

import numpy as np
import torch
from torch import Tensor


def to_tensor(array: np.ndarray) -> Tensor:
    """Copy an array of any layout into a contiguous tensor.

    Parameters
    ----------
    array : ndarray
        Numbers or booleans.

    Returns
    -------
    Tensor
        Of the shape and type of the array; `numpy.longdouble`, which torch does not have, becomes
        float64.

    Notes
    -----
    O(n) time, and memory for one copy.

    Examples
    --------
    >>> import numpy as np
    >>> to_tensor(np.arange(3.0)[::-1])
    tensor([2., 1., 0.], dtype=torch.float64)
    """
    native = np.float64 if array.dtype == np.longdouble else array.dtype.newbyteorder("=")
    return torch.tensor(np.asarray(array, dtype=native, order="C"))
