"""`jno.schedule`: schedules of learning rates and loss weights.

Example:
    >>> import jno
    >>> jno.schedule.learning_rate is jno.LearningRateSchedule, jno.schedule.constraint is jno.WeightSchedule
    (True, True)
"""

from .adaptive import DLRS as DLRS
from .adaptive import DLRS as dlrs
from .adaptive import LearningRateSchedule as learning_rate
from .adaptive import WeightSchedule as constraint

__all__ = ["DLRS", "constraint", "dlrs", "learning_rate"]
