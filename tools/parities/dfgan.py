"""DF-GAN of 2022 as its authors' PyTorch code computes it.

Recorded are the pictures, the discriminator's features and scores of real
pairs, and the matching-aware penalty at them, which `systems.DFGAN` computes
here as in a move.
"""

import numpy as np
import tensorflow as tf

from keras_t2i import systems
from keras_t2i.weights.families import df_gan


def prove(ledger):
    """Enters all outputs into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of a `dfgan` file.

    Raises:
        ValueError: if an input or a weight is missing or misshapen.
    """
    generator = ledger.model("df_gan/generator", "netG.", df_gan.generator_of)
    discriminator = ledger.model(
        "df_gan/discriminator", ("netD.", "netC."), df_gan.discriminator_of
    )
    size = generator.output["image"].shape[1]
    ledger.size("size", size)
    ledger.size("ngf", generator.layers[-2].kernel.shape[2])

    noise_dim, text_dim = (
        generator.input[name].shape[-1] for name in ("noise", "sentence")
    )
    noise = ledger.input("noise", (None, noise_dim))
    sentence = tf.constant(ledger.input("sentence", (len(noise), text_dim)))
    drawn = generator({"noise": tf.constant(noise), "sentence": sentence})
    image = np.asarray(drawn["image"]).transpose(0, 3, 1, 2)
    step = max(size // ledger.shape("image")[-1], 1)
    ledger.compare("image", image[..., ::step, ::step], absolute=1e-4)

    system = systems.DFGAN(
        {"generator": generator, "discriminator": discriminator}
    )
    real = _enlarged(ledger.input("real16", (len(noise), 3, None, None)), size)
    features = system.features(real)
    scores = system.score(features, sentence)
    ledger.compare("d_features", np.asarray(features).transpose(0, 3, 1, 2))
    ledger.compare("d_logits", np.asarray(scores)[:, None, None, None])
    batch = {
        "image": real,
        "sentence": sentence,
        "wrong_sentence": system.neighbours(sentence),
        "fakes": drawn["image"],
    }
    penalty = system.judge(batch)["penalty"]
    ledger.compare("magp", system.loss_weights["penalty"] * penalty)


def _enlarged(small, size):
    """Repeats pixels until a picture has a size, and brings it to our order."""
    times = size // max(small.shape[-1], 1)
    if small.shape[2:] != (size / times, size / times):
        raise ValueError(
            f"real16 is {small.shape[2:]}; repeated pixels must give "
            f"{(size, size)}"
        )
    return tf.constant(
        small.repeat(times, 2).repeat(times, 3).transpose(0, 2, 3, 1)
    )
