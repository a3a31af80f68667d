"""Other people's weights, in and out."""

from keras_t2i.weights import (
    arrays,
    captioners,
    judges,
    presets,
    pretrained,
    readers,
    rules,
    torch_file,
)
from keras_t2i.weights.transfer import Report, export, load, plan

__all__ = [
    "Report",
    "arrays",
    "captioners",
    "export",
    "judges",
    "load",
    "plan",
    "presets",
    "pretrained",
    "readers",
    "rules",
    "torch_file",
]
