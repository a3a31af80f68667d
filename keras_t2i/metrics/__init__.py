"""How good pictures are: functions on pictures, features and words."""

from keras_t2i.metrics import (
    clip_score,
    colours,
    diversity,
    evaluator,
    features,
    protocols,
    r_precision,
    soa,
    tfgan,
)

__all__ = [
    "clip_score",
    "colours",
    "diversity",
    "evaluator",
    "features",
    "protocols",
    "r_precision",
    "soa",
    "tfgan",
]
