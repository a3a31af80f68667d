"""Frozen or pre-trained readers of text and images."""

from keras_t2i.encoders import (
    bert,
    efficientnet_lite,
    features,
    inception,
    text,
    tokenizer,
)

__all__ = [
    "bert",
    "efficientnet_lite",
    "features",
    "inception",
    "text",
    "tokenizer",
]
