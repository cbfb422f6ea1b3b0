"""Why a loss does not go down: what can be measured of a training, and what helps."""

from ._diagnose import diagnosis_of as diagnosis_of
from ._record import Diagnosis as Diagnosis
from ._record import Finding as Finding
