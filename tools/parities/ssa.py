"""SSA-GAN as its authors' PyTorch code computes it.

Recorded are pictures and masks in evaluation mode, pictures in training mode
and the running statistics after that, the discriminator's features and scores
of real pairs, and the matching-aware penalty at them, which `systems.SSAGAN`
computes here as in its second step.
"""

import numpy as np
import tensorflow as tf

from keras_t2i import systems
from keras_t2i.weights.families import ssa_gan
from tools.parities import pictures

#: The largest difference of pictures: in evaluation mode, where tanh is near
#: its ends, and in training mode, where each norm enlarges rounding.
_DRAWN, _TRAINED = 1e-4, 1e-4
_MASK = 2e-5


def prove(ledger):
    """Enters all outputs into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of an `ssa` file.

    Raises:
        ValueError: if an input or a weight is missing or misshapen.
    """
    generator = ledger.model("ssa_gan/generator", "netG.", ssa_gan.generator_of)
    discriminator = ledger.model(
        "ssa_gan/discriminator", "netD.", ssa_gan.discriminator_of
    )
    noise_dim, text_dim = (
        generator.input[name].shape[-1] for name in ("noise", "sentence")
    )
    noise = ledger.input("noise", (None, noise_dim))
    sentence = tf.constant(ledger.input("sentence", (len(noise), text_dim)))
    inputs = {"noise": tf.constant(noise), "sentence": sentence}

    drawn = generator(inputs)
    image = pictures.thinned(ledger, "image_eval", drawn["image"])
    ledger.compare("image_eval", image, absolute=_DRAWN)
    masks = [key for key in drawn if key.startswith("mask_")]
    for number, key in enumerate(masks):
        name = f"mask{number}_eval"
        mask = pictures.thinned(ledger, name, drawn[key])
        ledger.compare(name, mask, absolute=_MASK)
    trained = generator(inputs, training=True)["image"]
    image = pictures.thinned(ledger, "image_train", trained)
    ledger.compare("image_train", image, absolute=_TRAINED)
    pictures.compare_left(ledger, "ssa_gan/generator", generator, "netG.")

    system = systems.SSAGAN(
        {"generator": generator, "discriminator": discriminator},
        loss_weights={"words": 0.0, "sentence": 0.0},
    )
    size = drawn["image"].shape[1]
    real = pictures.enlarged(ledger, "real16", len(noise), size)
    features = system.features(real)
    scores = system.score(features, sentence)
    ledger.compare("d_features", pictures.theirs(features))
    ledger.compare("d_logits", np.asarray(scores)[:, None, None, None])
    penalty = system.smooth({"image": real, "sentence": sentence})["penalty"]
    ledger.compare("magp", system.loss_weights["penalty"] * penalty)
    ledger.leave(
        [name for name in ledger.unknown if name == "real_seed"],
        "a number that the recording didn't use",
    )
