"""DAMSM's readers by the names of AttnGAN's PyTorch code.

DM-GAN, DF-GAN and many others carry the same two modules, RNN_ENCODER and
CNN_ENCODER. The first has two biases a way, which are added up; exported, ours
stands in the first and the second is 0. The second holds Inception-v3 without
its scores. Some files put "module." (several GPUs) before every name.
"""

import numpy as np

from keras_t2i.encoders import bi_lstm, heads, inception
from keras_t2i.weights import rules

PREFIXES = ("module.",)
_KERNEL = "Conv2d_1a_3x3.conv.weight"


def text(model):
    """Writes the rules of `encoders.bi_lstm.encoder`, with draws or plain."""
    two_ways = model.get_layer("two_ways")
    return [
        *rules.embedding(model.get_layer("embedding"), "encoder"),
        *_way(two_ways.forward_layer.cell, ""),
        *_way(two_ways.backward_layer.cell, "_reverse"),
    ]


def image(model):
    """Writes the rules of `encoders.heads.over` on Inception-v3."""
    trunk, head = model.get_layer("inception_v3"), model.get_layer("image_head")
    table = []
    for unit in inception.UNITS:
        conv, norm = f"{unit}.conv", f"{unit}.bn"
        table += rules.conv(trunk.get_layer(conv), conv)
        table += rules.batch_norm(trunk.get_layer(norm), norm)
    regions, code = "regions_projection", "code_projection"
    table += rules.conv(head.get_layer(regions), "emb_features")
    return table + rules.dense(head.get_layer(code), "emb_cnn_code")


def text_of(arrays):
    """Builds a reader of captions of the arrays' sizes, without draws.

    Args:
        arrays: dict of str -> array, with the reference's names.

    Returns:
        `keras.Model`, as `encoders.bi_lstm.encoder` makes it, with fresh
        weights. Where the arrays don't say a size it has the published one;
        `load` then refuses them by name.
    """
    found = rules.plain(arrays, PREFIXES)
    return bi_lstm.encoder(
        rules.size(found, "encoder.weight", 0, 5450),
        embedding=rules.size(found, "encoder.weight", 1, 300),
        width=2 * rules.size(found, "rnn.weight_hh_l0", 1, 128),
        dropout=0,
    )


def image_of(arrays, *, resize="bilinear_corners", norms="batch"):
    """Builds a reader of pictures of the arrays' sizes.

    Args:
        arrays: dict of str -> array, with the reference's names.
        resize: as for `encoders.heads.over`.
        norms: as for `encoders.heads.over`.

    Returns:
        `keras.Model`, as `encoders.heads.over` makes it, with fresh weights;
        of sizes as `text_of`.
    """
    found = rules.plain(arrays, PREFIXES)
    trunk = inception.inception_v3(width=rules.size(found, _KERNEL, 0, 32) / 32)
    told = (trunk.output[name].shape[-1] for name in ("regions", "pooled"))
    head = heads.image(*told, rules.size(found, "emb_features.weight", 0, 256))
    return heads.over(trunk, head, size=299, resize=resize, norms=norms)


def _way(cell, ending):
    """Rules of one way; gates stand in the same order."""
    names = {
        part: f"rnn.{part}_l0{ending}"
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    return [
        rules.permuted(cell.kernel, names["weight_ih"], (1, 0)),
        rules.permuted(cell.recurrent_kernel, names["weight_hh"], (1, 0)),
        rules.Rule(
            (names["bias_ih"], names["bias_hh"]),
            (cell.bias,),
            lambda one, other: (one + other,),
            lambda bias: (bias, np.zeros_like(bias)),
        ),
    ]
