"""All recipes."""

from ._recipes_domain import DOMAINS
from ._recipes_expressions import EXPRESSIONS
from ._recipes_other import OTHER
from ._recipes_training import TRAINING
from ._recipes_weak import WEAK

RECIPES = [*EXPRESSIONS, *DOMAINS, *TRAINING, *OTHER, *WEAK]
