"""Stateless tensor functions: the ground floor."""

from keras_t2i.ops import (
    convolution,
    feature_store,
    files,
    images,
    memory,
    noise,
    palette,
    pickle_machine,
    pickles,
    record_files,
    replicas,
    resizing,
    sheets,
    vectors,
)

__all__ = [
    "convolution",
    "feature_store",
    "files",
    "images",
    "memory",
    "noise",
    "palette",
    "pickle_machine",
    "pickles",
    "record_files",
    "replicas",
    "resizing",
    "sheets",
    "vectors",
]
