"""Losses: tensors in, one float32 number out."""

from keras_t2i.losses import adversarial, feature, penalties

__all__ = ["adversarial", "feature", "penalties"]
