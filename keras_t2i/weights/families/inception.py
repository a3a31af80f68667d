"""Inception-v3 by the names of those who published its weights.

torchvision's names are pytorch-fid's too. Keras's layers are numbered from 0,
as they are made. slim's scopes are those of tensorflow/models'
inception/slim/inception_model.py of 2016.
"""

import collections
import re

from keras_t2i.encoders import inception
from keras_t2i.weights import rules

PREFIXES = ("module.",)
_TORCH = (
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "num_batches_tracked",
)
_NORM = ("beta", "moving_mean", "moving_variance")
# Our blocks -> slim's scopes.
_SCOPES = {
    "Conv2d_1a_3x3": "conv0",
    "Conv2d_2a_3x3": "conv1",
    "Conv2d_2b_3x3": "conv2",
    "Conv2d_3b_1x1": "conv3",
    "Conv2d_4a_3x3": "conv4",
    "Mixed_5b": "mixed_35x35x256a",
    "Mixed_5c": "mixed_35x35x288a",
    "Mixed_5d": "mixed_35x35x288b",
    "Mixed_6a": "mixed_17x17x768a",
    "Mixed_6b": "mixed_17x17x768b",
    "Mixed_6c": "mixed_17x17x768c",
    "Mixed_6d": "mixed_17x17x768d",
    "Mixed_6e": "mixed_17x17x768e",
    "Mixed_7a": "mixed_17x17x1280a",
    "Mixed_7b": "mixed_8x8x2048a",
    "Mixed_7c": "mixed_8x8x2048b",
}


def torchvision(model):
    """Writes the rules of the variant "torchvision", auxiliary part unused."""
    table = fid_2015(model)
    for unit in ("AuxLogits.conv0", "AuxLogits.conv1"):
        table.append(rules.ignored(f"{unit}.conv.weight"))
        table.append(rules.ignored(*(f"{unit}.bn.{part}" for part in _TORCH)))
    return table + [rules.ignored("AuxLogits.fc.weight", "AuxLogits.fc.bias")]


def fid_2015(model):
    """Writes the rules of the variant "fid_2015"."""
    layer = model.get_layer
    table = []
    for unit in inception.UNITS:
        conv, norm = f"{unit}.conv", f"{unit}.bn"
        table += rules.conv(layer(conv), conv)
        table += rules.batch_norm(layer(norm), norm)
    if layer("logits").bias is None:
        table.append(rules.ignored("fc.bias"))
    return table + rules.dense(layer("logits"), "fc")


def keras(model):
    """Writes the rules of the variant "keras"."""
    table = []
    for i, unit in enumerate(inception.UNITS):
        norm = f"batch_normalization_{i}"
        table += _unit(model, unit, f"conv2d_{i}/kernel", norm)
    return table + _head(model, "predictions/kernel", "predictions/bias")


def slim(model):
    """Writes the rules of the variant "slim", auxiliary part unused."""
    table = []
    for unit, scope in zip(inception.UNITS, _scopes(), strict=True):
        norm = f"{scope}/BatchNorm"
        table += _unit(model, unit, f"{scope}/weights", norm)
    for scope in ("aux_logits/proj", "aux_logits/Conv"):
        table.append(rules.ignored(f"{scope}/weights"))
        names = (f"{scope}/BatchNorm/{part}" for part in _NORM)
        table.append(rules.ignored(*names))
    table.append(rules.ignored("aux_logits/FC/weights", "aux_logits/FC/biases"))
    return table + _head(model, "logits/logits/weights", "logits/logits/biases")


def _scopes():
    """Yields slim's scope of each unit; a branch's later ones are numbered."""
    counts = collections.Counter()
    for unit in inception.UNITS:
        block, _, name = unit.partition(".")
        if not name:
            yield _SCOPES[block]
            continue
        branch = f"{_SCOPES[block]}/{re.sub(r'_[0-9][ab]?$', '', name)}"
        number = counts[branch]
        counts[branch] += 1
        yield f"{branch}/Conv_{number}" if number else f"{branch}/Conv"


def _unit(model, unit, kernel, norm):
    """Rules of a pair whose norm has no factor, axes ordered as ours."""
    layer = model.get_layer(f"{unit}.bn")
    own = model.get_layer(f"{unit}.conv").kernel
    return [rules.same(own, kernel)] + [
        rules.same(getattr(layer, part), f"{norm}/{part}") for part in _NORM
    ]


def _head(model, kernel, bias):
    layer = model.get_layer("logits")
    table = [rules.same(layer.kernel, kernel)]
    if layer.bias is None:
        return table + [rules.ignored(bias)]
    return table + [rules.same(layer.bias, bias)]
