"""Stateless tensor functions: the ground floor."""

from keras_t2i.ops import (
    files,
    images,
    noise,
    palette,
    replicas,
    sheets,
)

__all__ = ["files", "images", "noise", "palette", "replicas", "sheets"]
