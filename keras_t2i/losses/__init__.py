"""Losses: tensors in, one float32 number out."""

from keras_t2i.losses import (
    adversarial,
    captioning,
    contrastive,
    feature,
    latent,
    matching,
    penalties,
)

__all__ = [
    "adversarial",
    "captioning",
    "contrastive",
    "feature",
    "latent",
    "matching",
    "penalties",
]
