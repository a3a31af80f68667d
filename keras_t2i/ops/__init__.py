"""Stateless tensor functions: the ground floor."""

from keras_t2i.ops import (
    files,
    images,
    memory,
    noise,
    palette,
    pickles,
    replicas,
    sheets,
)

__all__ = [
    "files",
    "images",
    "memory",
    "noise",
    "palette",
    "pickles",
    "replicas",
    "sheets",
]
