"""Bricks that two or more papers share."""

from keras_t2i.layers import blocks, fusion, starts
from keras_t2i.layers.batch_norm import BatchNorm
from keras_t2i.layers.dropout import Dropout
from keras_t2i.layers.up_conv import UpConv

__all__ = ["BatchNorm", "Dropout", "UpConv", "blocks", "fusion", "starts"]
