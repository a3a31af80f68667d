"""How good pictures are: functions on pictures, features and words."""

from keras_t2i.metrics import (
    colours,
    diversity,
    evaluator,
    features,
    r_precision,
    tfgan,
)

__all__ = [
    "colours",
    "diversity",
    "evaluator",
    "features",
    "r_precision",
    "tfgan",
]
