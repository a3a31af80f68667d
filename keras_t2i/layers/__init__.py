"""Bricks that two or more papers share."""

from keras_t2i.layers import blocks, fusion, one_way, stages, starts
from keras_t2i.layers.attention import WordAttention
from keras_t2i.layers.batch_norm import BatchNorm
from keras_t2i.layers.conv import Conv
from keras_t2i.layers.corner_up_sampling import CornerUpSampling
from keras_t2i.layers.dropout import Dropout
from keras_t2i.layers.leaky import Leaky
from keras_t2i.layers.masked_norm import MaskedNorm
from keras_t2i.layers.memory import WordMemory
from keras_t2i.layers.spectral import SpectralConv
from keras_t2i.layers.twin_conv import TwinConv
from keras_t2i.layers.up_conv import UpConv

__all__ = [
    "BatchNorm",
    "Conv",
    "CornerUpSampling",
    "Dropout",
    "Leaky",
    "MaskedNorm",
    "SpectralConv",
    "TwinConv",
    "UpConv",
    "WordAttention",
    "WordMemory",
    "blocks",
    "fusion",
    "one_way",
    "stages",
    "starts",
]
