"""Captioned pictures: sets, records, and the batches made of them."""

from keras_t2i.data import (
    batch,
    captions,
    catalog,
    fashion_mnist,
    idx,
    openmoji,
    pipeline,
    records,
    shapes,
    source,
)

__all__ = [
    "batch",
    "captions",
    "catalog",
    "fashion_mnist",
    "idx",
    "openmoji",
    "pipeline",
    "records",
    "shapes",
    "source",
]
