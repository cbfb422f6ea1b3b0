"""`jno.np.tune`: search spaces for ``core.sweep``.

Example:
    >>> import jno
    >>> jno.np.tune.space().unique("batchsize", [1, 2]).int_range("epochs", 100, 102).grid_size
    6
"""

from jno.architectures import ArchSpace as space

__all__ = ["space"]
