"""UPGrad in the paper's notation: the sum of the projected task gradients."""

import numpy as np
from numpy.typing import NDArray

from tests.reference.dualproj import onto_dual_cone

Array = NDArray[np.float64]


def upgrad(g: Array) -> Array:
    """Return Σ π(g_i), π the projection onto the rows' dual cone; the paper takes the mean."""
    return np.asarray(sum(onto_dual_cone(row, g) for row in g))
