"""How good pictures are: functions on pictures, features and words."""

from keras_t2i.metrics import (
    clip_score,
    colours,
    diversity,
    evaluator,
    features,
    inception_score,
    kernel,
    moments,
    neighbours,
    protocols,
    r_precision,
    rankings,
    soa,
    statistics,
    subsamples,
    tfgan,
)

__all__ = [
    "clip_score",
    "colours",
    "diversity",
    "evaluator",
    "features",
    "inception_score",
    "kernel",
    "moments",
    "neighbours",
    "protocols",
    "r_precision",
    "rankings",
    "soa",
    "statistics",
    "subsamples",
    "tfgan",
]
