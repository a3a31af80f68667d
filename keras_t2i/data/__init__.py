"""Captioned pictures: sets, records, and the batches made of them."""

from keras_t2i.data import (
    batch,
    captions,
    catalog,
    fashion_mnist,
    idx,
    index,
    openmoji,
    picture_files,
    pipeline,
    prepared,
    records,
    shapes,
    source,
    texts,
    vocabulary,
)

__all__ = [
    "batch",
    "captions",
    "catalog",
    "fashion_mnist",
    "idx",
    "index",
    "openmoji",
    "picture_files",
    "pipeline",
    "prepared",
    "records",
    "shapes",
    "source",
    "texts",
    "vocabulary",
]
