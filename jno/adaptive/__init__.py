"""Schedules of learning rates and loss weights: small strategies that training calls."""

from ._dlrs import DLRS as DLRS
from ._schedules import LearningRateSchedule as LearningRateSchedule
from ._schedules import WeightSchedule as WeightSchedule
