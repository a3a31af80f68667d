"""Judges of pictures by name: a network, its weights and the way to it.

judge = judges.load("inception_2015", "pt_inception-2015-12-05.pth")
judge(pictures)["pooled"]
"""

import dataclasses
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.encoders import efficientnet_lite, features, inception
from keras_t2i.ops import files
from keras_t2i.weights import arrays, pretrained, sources, transfer

_HUB = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"
_AVERAGED = "/ExponentialMovingAverage"
_WAYS = {
    "inception_2015": features.Way(299, "tf1_bilinear", "tf_2015"),
    "inception_cub": features.Way(299, "pillow_bilinear", rounding="round"),
    "keras_inception_v3": features.Way(299, "bilinear_antialiased"),
    "lite0": features.Way(224, "bilinear_antialiased"),
    "tfgan_inception": features.Way(299, "tf1_bilinear"),
    "torchvision_inception": features.Way(299, "bilinear"),
}
#: The judges that `load` knows.
NAMES = tuple(_WAYS)
_VARIANTS = {
    "inception_2015": "fid_2015",
    "inception_cub": "slim",
    "keras_inception_v3": "keras",
    "torchvision_inception": "torchvision",
}
_WANTED = {
    "inception_2015": "pt_inception-2015-12-05-6726825d.pth of pytorch-fid",
    "inception_cub": "birds_valid299/model.ckpt of StackGAN",
    "torchvision_inception": "inception_v3_google-0cc3c7bd.pth of torchvision",
}


def load(
    name: str,
    source: str | os.PathLike | None = None,
    *,
    size: int | None = None,
    resize: str | None = None,
    normalise: str | None = None,
    rounding: str | None = None,
    jpeg: int | None = None,
) -> features.Features:
    """Makes a judge of pictures, with its weights and its usual way to them.

    Args:
        name: one of `NAMES`:
            "lite0": EfficientNet-Lite0, whose weights come with this package.
            "inception_2015": the network that FID and the Inception score
            were defined by; its scores lack the bias, as in the first code
            of the Inception score. Resizes as TensorFlow 1.
            "torchvision_inception": that of DM-GAN, DF-GAN, GALIP and DAMSM.
            "keras_inception_v3": that of XMC-GAN.
            "inception_cub": StackGAN's, tuned on birds (or flowers). Score 0
            is of the background; the Inception score leaves it out.
            "tfgan_inception": TF-GAN's SavedModel. Pictures are resized here.
        source: where the weights are. None for those that come along or can
            be fetched: "lite0", "keras_inception_v3" (by keras.applications),
            "tfgan_inception" (TF-Hub). Else a file: PyTorch's (.pth), or any
            that `weights.arrays` reads, of the published names; Keras's for
            "keras_inception_v3"; TensorFlow 1's checkpoint for
            "inception_cub"; a handle or folder for "tfgan_inception".
            "random" gives weights drawn at random: for tests, since numbers
            measured so mean nothing. The judge's name then ends in "_random".
        size: pictures are read at `size` x `size`. None leaves this and the
            rest to the judge; see `encoders.features.Way`.
        resize: key of `ops.resizing.RESIZES`.
        normalise: key of `encoders.features.NORMALISATIONS`.
        rounding: "round" or "truncate", of pictures of floats.
        jpeg: quality.

    Returns:
        `encoders.features.Features`: (B, H, W, 3) uint8 or float [-1, 1] ->
        {"pooled", "logits"}, mostly "regions" too. `name` tells a size that
        isn't the usual one; `resize` is the way in words; `digest` names the
        network, its weights and the way.

    Raises:
        ValueError: if a name is unknown, or the weights are missing, damaged
            or of another kind.

    Source:
        Heusel et al. 2017, arXiv:1706.08500; Salimans et al. 2016,
        arXiv:1606.03498; Zhang et al. 2017, arXiv:1612.03242 (birds).
    """
    if name not in NAMES:
        raise ValueError(
            f"No judge is called {name!r}; known are {', '.join(NAMES)}."
        )
    given = dict(
        size=size,
        resize=resize,
        normalise=normalise,
        rounding=rounding,
        jpeg=jpeg,
    )
    given = {key: value for key, value in given.items() if value is not None}
    way = dataclasses.replace(_WAYS[name], **given)
    if name == "lite0" and source != "random" and not set(given) - {"size"}:
        return pretrained.lite0(source, size=way.size)
    network, digest = _network(name, source)
    title = name if way.size == _WAYS[name].size else f"{name}_{way.size}"
    if source == "random":
        title = f"{title}_random"
    digest = files.digest(f"judge {name} 1", digest, way.words)
    return features.Features(network, way, title, digest)


def _network(name, source):
    """The network, and the digest of its weights."""
    if name == "tfgan_inception":
        return _of_hub(source)
    if source is None and name in _WANTED:
        raise ValueError(
            f"The weights of {name} don't come with this package; name a "
            f"file, such as {_WANTED[name]}."
        )
    if source == "random":
        network = _random(_blank(name))
    elif name == "lite0":
        network = pretrained.lite0(source).model
    else:
        network = _inception(name, source)
    network.trainable = False
    return network, files.digest(*(v.numpy() for v in network.weights))


def _blank(name, classes=None):
    """A network of the judge's kind, with fresh weights."""
    if name == "lite0":
        return efficientnet_lite.lite0()
    return inception.inception_v3(
        _VARIANTS[name],
        classes=classes,
        logits_bias=name != "inception_2015",
    )


def _random(model):
    """Fills kernels so that signals neither die nor explode."""
    random = np.random.RandomState(0)
    for variable in model.weights:
        shape = variable.shape
        if len(shape) > 1:
            # A depthwise kernel, (h, w, channels, 1), reads h x w numbers.
            inputs = np.prod(shape[:2] if shape[-1] == 1 else shape[:-1])
            variable.assign(random.randn(*shape) * np.sqrt(2 / inputs))
    return model


def _inception(name, source):
    variant, classes = _VARIANTS[name], None
    if variant == "keras":
        found = _of_keras(source)
    elif variant == "slim":
        found = _averages(source)
        classes = len(found.get("logits/logits/biases", ())) or None
    else:
        with sources.named(source):
            found = arrays.read(source)
    model = _blank(name, classes)
    with sources.named(source):
        transfer.load(f"inception/{variant}", model, found)
    return model


def _of_keras(source):
    """The arrays of keras.applications' network, its layers counted anew."""
    if source is not None and not pathlib.Path(source).is_file():
        raise ValueError(f"{source} is missing.")
    try:
        theirs = keras.applications.InceptionV3(
            weights="imagenet" if source is None else str(source)
        )
    except Exception as error:  # Of the network, the disk or the format.
        raise ValueError(
            "keras.applications can't load the weights of InceptionV3 from "
            f"{source or 'the network'}: {error}"
        ) from error
    found = {
        f"predictions/{each.name}": each.numpy()
        for each in theirs.get_layer("predictions").weights
    }
    for kind, name in (
        (keras.layers.Conv2D, "conv2d"),
        (keras.layers.BatchNormalization, "batch_normalization"),
    ):
        layers = [each for each in theirs.layers if isinstance(each, kind)]
        for i, layer in enumerate(sorted(layers, key=_number)):
            for each in layer.weights:
                found[f"{name}_{i}/{each.name}"] = each.numpy()
    return found


def _number(layer):
    """Keras counts layers of a kind: conv2d, conv2d_1, conv2d_2."""
    number = layer.name.rpartition("_")[2]
    return int(number) if number.isdigit() else 0


def _averages(source):
    """The averaged weights of TensorFlow 1's checkpoint, by plain names."""
    try:
        reader = tf.train.load_checkpoint(str(source))
        found = {
            key.removesuffix(_AVERAGED): reader.get_tensor(key)
            for key in reader.get_variable_to_shape_map()
            if key.endswith(_AVERAGED)
        }
    except Exception as error:  # TensorFlow's, which share no other class.
        raise ValueError(
            f"{source} is not a readable checkpoint of TensorFlow: "
            f"{files.reason(error)}"
        ) from error
    if not found:
        raise ValueError(
            f"{source} holds no averaged weights, whose names end in "
            f"{_AVERAGED}."
        )
    return found


def _of_hub(source):
    if source == "random":
        raise ValueError(
            "tfgan_inception has no random weights; inception_2015 is the "
            "same graph."
        )
    source = _HUB if source is None else source
    module, digest = sources.from_hub(source, "pictures")

    def ask(images):
        answer = module(images)
        found = sorted(answer) if isinstance(answer, dict) else []
        if not {"logits", "pool_3"} <= set(found):
            raise ValueError(
                f"{source} answers {', '.join(found) or 'no names'}; logits "
                "and pool_3 are wanted."
            )
        rows = {"pooled": answer["pool_3"], "logits": answer["logits"]}
        return {
            name: tf.reshape(each, [tf.shape(images)[0], -1])
            for name, each in rows.items()
        }

    ask(tf.zeros((1, 299, 299, 3)))  # Names are looked at now, not later.
    return ask, digest
