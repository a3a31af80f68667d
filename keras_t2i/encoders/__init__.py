"""Frozen or pre-trained readers of text and images."""

from keras_t2i.encoders import bert, text, tokenizer

__all__ = ["bert", "text", "tokenizer"]
