"""The language: immutable expression nodes.  Nothing here evaluates anything."""

from ._placeholder import Placeholder as Placeholder  # isort: skip  (closes the import cycle of the node classes)
from ._derivatives import Hessian as Hessian
from ._derivatives import Jacobian as Jacobian
from ._derivatives import NetworkGradient as NetworkGradient
from ._flatten import flatten as flatten
from ._flatten import unflatten as unflatten
from ._integrals import Integral as Integral
from ._integrals import IntegralTime as IntegralTime
from ._leaves import Constant as Constant
from ._leaves import Literal as Literal
from ._leaves import Noise as Noise
from ._leaves import TensorTag as TensorTag
from ._leaves import Variable as Variable
from ._leaves import as_node as as_node
from ._model import Controls as Controls
from ._model import Initialization as Initialization
from ._model import Model as Model
from ._model import ModelCall as ModelCall
from ._model import ParameterGroup as ParameterGroup
from ._node import Node as Node
from ._operations import BinaryOp as BinaryOp
from ._operations import FunctionCall as FunctionCall
from ._operations import GetItem as GetItem
from ._operations import Print as Print
from ._operations import Reduction as Reduction
from ._operations import Reshape as Reshape
from ._operations import Tracker as Tracker
from ._operations import UnaryOp as UnaryOp
from ._render import dump_tree as dump_tree
from ._render import render as render
from ._render import title as title
from ._substitute import defining_variables as defining_variables
from ._substitute import substitute as substitute
from ._walk import rewrite as rewrite
from ._walk import walk as walk
