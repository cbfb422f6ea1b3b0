"""The list of the modules whose functions are lowering rules; one that is not here does not exist for the compiler."""

from . import (
    _lower_derivatives,
    _lower_evaluated_at,
    _lower_integrals,
    _lower_leaves,
    _lower_models,
    _lower_operations,
    _lower_time_integrals,
)

RULE_MODULES = (
    _lower_leaves,
    _lower_operations,
    _lower_models,
    _lower_derivatives,
    _lower_integrals,
    _lower_time_integrals,
    _lower_evaluated_at,
)
