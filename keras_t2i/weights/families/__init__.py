"""Which foreign name belongs to which of our variables, family by family.

`FAMILIES` maps "family/part" to a function: our model -> list of rules.
"""

from keras_t2i.weights.families import minilm

FAMILIES = {
    "minilm/text": minilm.text,
}

__all__ = ["FAMILIES"]
