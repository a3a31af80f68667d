"""Frozen or pre-trained readers of text and images."""

from keras_t2i.encoders import (
    bert,
    bi_lstm,
    captioner,
    efficientnet_lite,
    features,
    heads,
    inception,
    pairs,
    text,
    tokenizer,
)

__all__ = [
    "bert",
    "bi_lstm",
    "captioner",
    "efficientnet_lite",
    "features",
    "heads",
    "inception",
    "pairs",
    "text",
    "tokenizer",
]
