"""The ground floor: tensor functions, files, the step of Adam."""

from keras_t2i.ops import (
    adam,
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
    "adam",
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
