"""From the trace to JAX: one pure function per list of expressions."""

from ._blocks import PointBlocks as PointBlocks
from ._blocks import blocks_for as blocks_for
from ._discover import check_temporal as check_temporal
from ._discover import discover_domain as discover_domain
from ._evaluators import DrawEvaluator as DrawEvaluator
from ._evaluators import PointEvaluator as PointEvaluator
from ._evaluators import models_with_draws as models_with_draws
from ._finite_difference import uses_stencil as uses_stencil
from ._graph import Graph as Graph
from ._graph import adaptive_weights as adaptive_weights
from ._graph import models_of as models_of
from ._graph import needs_window as needs_window
from ._graph import noise_nodes as noise_nodes
from ._graph import trained_models as trained_models
from ._graph import untracked as untracked
from ._graph import weights_key as weights_key
from ._jax_versions import bind_equation as bind_equation
from ._lower_models import call_module as call_module
from ._plan import plan_text as plan_text
from ._pointwise import check_pointwise as check_pointwise
from ._program import Program as Program
from ._rules import lowers as lowers
from ._scope import NotPointwiseError as NotPointwiseError
from ._shapes import infer_shapes as infer_shapes
from ._shapes import shape_tree as shape_tree
from ._value import Value as Value
