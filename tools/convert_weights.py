"""Turns released weights into a file of plain arrays that this library loads.

    python -m tools.convert_weights --family=efficientnet_lite0/image \
        --source=efficientnet-lite0-57934424.pth --half \
        --out=keras_t2i/weights/data/efficientnet_lite0_f16.npz

Every array is reported: where it goes, or why it does not. The file is
written only when all fit. `keras_t2i.weights.load` takes it.
"""

import functools
import io

import numpy as np
from absl import flags

from keras_t2i.encoders import bert, efficientnet_lite, inception
from keras_t2i.ops import files
from keras_t2i.weights import arrays, export, load, rules
from keras_t2i.weights.families import (
    attngan,
    damsm,
    dcgan_cls,
    df_gan,
    df_gan_2020,
    dm_gan,
    ssa_gan,
)
from recipes import messages


def convert(family, source, out, prefix="", half=False):
    """Reads one part of a family, checks every array and writes it.

    Args:
        family: str, one of `MODELS`.
        source: path of the released file.
        out: path of the .npz to write.
        prefix: str. Only arrays whose names begin so are taken.
        half: bool. Round kernels to float16.

    Returns:
        Report of every array.

    Raises:
        ValueError: if the family is not known or an array does not fit;
            nothing is then written, and the error's `report` says all.
    """
    if family not in MODELS:
        raise ValueError(
            f"No family called {family!r} is converted; known are "
            f"{', '.join(MODELS)}."
        )
    found = arrays.read(source)
    if prefix:
        found = arrays.under(found, prefix)
    model = MODELS[family](found)
    report = load(family, model, found)
    ours = export(family, model)
    if half:
        ours = {key: _halved(array) for key, array in ours.items()}
    stream = io.BytesIO()
    np.savez_compressed(stream, **ours)
    files.atomic_write(out, stream.getvalue())
    return report


def main(_):
    """Runs the command."""
    try:
        report = convert(
            flags.FLAGS.family,
            flags.FLAGS.source,
            flags.FLAGS.out,
            flags.FLAGS.prefix,
            flags.FLAGS.half,
        )
    except ValueError as error:
        if hasattr(error, "report"):
            print(error.report)
        raise
    print(report)
    print(f"Wrote {flags.FLAGS.out}.")


def _halved(array):
    return array.astype(np.float16) if array.ndim > 1 else array


def _lite0(found):
    return efficientnet_lite.lite0(rules.size(found, "_fc.bias", 0, 1000))


def _bert(found):
    """A BERT of the arrays' sizes; heads do not change their shapes."""
    layer = "encoder.layer."
    numbers = [k.split(".")[2] for k in found if k.startswith(layer)]
    words = "embeddings.word_embeddings.weight"
    positions = "embeddings.position_embeddings.weight"
    hidden = f"{layer}0.intermediate.dense.weight"
    return bert.encoder(
        vocabulary_size=rules.size(found, words, 0, 30522),
        width=rules.size(found, words, 1, 384),
        layers=max(len(set(numbers)), 1),
        heads=1,
        hidden=rules.size(found, hidden, 0, 1536),
        positions=rules.size(found, positions, 0, 512),
    )


def _inception(found, variant, bias):
    classes = rules.size(found, bias, 0, None)
    return inception.inception_v3(variant, classes=classes)


MODELS = {
    "attngan/discriminator": attngan.discriminator_of,
    "attngan/generator": attngan.generator_of,
    "damsm/image": damsm.image_of,
    "damsm/text": damsm.text_of,
    "dcgan_cls/discriminator": dcgan_cls.discriminator_of,
    "dcgan_cls/generator": dcgan_cls.generator_of,
    "df_gan/discriminator": df_gan.discriminator_of,
    "df_gan/generator": df_gan.generator_of,
    "df_gan_2020/discriminator": df_gan_2020.discriminator_of,
    "df_gan_2020/generator": df_gan_2020.generator_of,
    "dm_gan/discriminator": dm_gan.discriminator_of,
    "dm_gan/generator": dm_gan.generator_of,
    "efficientnet_lite0/image": _lite0,
    **{
        f"inception/{variant}": functools.partial(
            _inception, variant=variant, bias=bias
        )
        for variant, bias in (
            ("fid_2015", "fc.bias"),
            ("keras", "predictions/bias"),
            ("slim", "logits/logits/biases"),
            ("torchvision", "fc.bias"),
        )
    },
    "minilm/text": _bert,
    "ssa_gan/discriminator": ssa_gan.discriminator_of,
    "ssa_gan/generator": ssa_gan.generator_of,
}

if __name__ == "__main__":
    flags.DEFINE_string(
        "family", None, "Whose weights: family/part.", required=True
    )
    flags.DEFINE_string(
        "source", None, "Released file of any kind.", required=True
    )
    flags.DEFINE_string("out", None, "The .npz to write.", required=True)
    flags.DEFINE_string(
        "prefix", "", "Take the arrays whose names begin so, and cut it off."
    )
    flags.DEFINE_boolean(
        "half", False, "Round kernels to float16; vectors stay float32."
    )
    messages.run(main)
