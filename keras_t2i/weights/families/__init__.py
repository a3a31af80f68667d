"""Which foreign name belongs to which of our variables, family by family.

`FAMILIES` maps "family/part" to a function: our model -> list of rules.
"""

from keras_t2i.weights.families import efficientnet_lite0, minilm

FAMILIES = {
    "efficientnet_lite0/image": efficientnet_lite0.image,
    "minilm/text": minilm.text,
}

__all__ = ["FAMILIES"]
