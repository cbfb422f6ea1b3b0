"""Trained networks and expressions for other processes and run times: StableHLO, ONNX, IREE."""

from . import iree as iree
from ._expressions import export_expressions as export_expressions
from ._files import ExportedFile as ExportedFile
from ._models import compile_model as compile_model
from ._models import export_model as export_model
