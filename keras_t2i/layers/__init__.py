"""Bricks that two or more papers share."""

from keras_t2i.layers import blocks, fusion, starts
from keras_t2i.layers.batch_norm import BatchNorm
from keras_t2i.layers.dropout import Dropout

__all__ = ["BatchNorm", "Dropout", "blocks", "fusion", "starts"]
