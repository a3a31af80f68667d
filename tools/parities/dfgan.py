"""DF-GAN of 2022 as its authors' PyTorch code computes it.

Recorded are the pictures, the discriminator's features and scores of real
pairs, and the matching-aware penalty at them, which `systems.DFGAN` computes
here as in a move.
"""

import numpy as np
import tensorflow as tf

from keras_t2i import systems
from keras_t2i.weights.families import df_gan
from tools.parities import pictures


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
    ledger.size("ngf", generator.get_layer("colours").kernel.shape[2])

    noise_dim, text_dim = (
        generator.input[name].shape[-1] for name in ("noise", "sentence")
    )
    noise = ledger.input("noise", (None, noise_dim))
    sentence = tf.constant(ledger.input("sentence", (len(noise), text_dim)))
    drawn = generator({"noise": tf.constant(noise), "sentence": sentence})
    image = pictures.thinned(ledger, "image", drawn["image"])
    ledger.compare("image", image, absolute=1e-4)

    system = systems.DFGAN(
        {"generator": generator, "discriminator": discriminator}
    )
    real = pictures.enlarged(ledger, "real16", len(noise), size)
    features = system.features(real)
    scores = system.score(features, sentence)
    ledger.compare("d_features", pictures.theirs(features))
    ledger.compare("d_logits", np.asarray(scores)[:, None, None, None])
    batch = {
        "image": real,
        "sentence": sentence,
        "wrong_sentence": system.neighbours(sentence),
        "fakes": drawn["image"],
    }
    penalty = system.judge(batch)["penalty"]
    ledger.compare("magp", system.loss_weights["penalty"] * penalty)
