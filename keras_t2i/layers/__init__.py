"""Bricks that two or more papers share."""

from keras_t2i.layers import blocks, fusion, starts
from keras_t2i.layers.batch_norm import BatchNorm

__all__ = ["BatchNorm", "blocks", "fusion", "starts"]
