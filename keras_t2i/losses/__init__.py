"""Losses: tensors in, one float32 number out."""

from keras_t2i.losses import adversarial, feature

__all__ = ["adversarial", "feature"]
