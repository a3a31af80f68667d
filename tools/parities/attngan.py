"""AttnGAN and DM-GAN as their authors' PyTorch code computes them.

Recorded are the reader of captions and what it reads; the generator's
pictures and attention, one caption at a time in evaluation mode, all at once
in training mode, and the running statistics after that; of each stage's
discriminator features, probabilities and the loss, in evaluation mode, and
DM-GAN's spectral vectors after these passes, each of which moves them; and
the losses that match regions and codes of pictures with captions. The games
are played by `systems.AttnGAN` and `systems.DMGAN`.
"""

import numpy as np
import tensorflow as tf

from keras_t2i import systems
from keras_t2i.losses import latent, matching
from keras_t2i.weights.families import attngan as attngan_family
from keras_t2i.weights.families import damsm as damsm_family
from keras_t2i.weights.families import dm_gan as dm_gan_family
from tools.parities import pictures

_APART = "of the generator and the discriminators, which were not asked for"
_AFTER = "after_forward/"
_OTHERS = (
    _AFTER,
    "attention",
    "ca_eps",
    "d0_",
    "d1_",
    "d2_",
    "fake16_",
    "full_captions",
    "image",
    "kl",
    "mu_logvar",
    "netD",
    "netG.",
    "noise",
    "real16_",
)
#: The largest difference of pictures, stage by stage: in evaluation mode,
#: and in training mode, where each norm enlarges rounding.
_PICTURES = (1e-5, 1e-5, 2e-5)
_TRAINED = (5e-5, 2e-4, 1e-3)
_LOOKS = 1e-5


def attngan(ledger):
    """Enters all outputs of AttnGAN into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of an `attngan` file.

    Raises:
        ValueError: if an input or a weight is missing or misshapen.
    """
    _prove(ledger, "attngan", attngan_family, systems.AttnGAN)


def dm_gan(ledger):
    """Enters all outputs of DM-GAN into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of a `dmgan` file.

    Raises:
        ValueError: as `attngan`.
    """
    _prove(ledger, "dm_gan", dm_gan_family, systems.DMGAN)


def damsm(ledger):
    """Enters what readers say, and leaves the other networks out.

    Args:
        ledger: `tools.parity.Ledger` of an `attngan` or `dmgan` file.

    Raises:
        ValueError: as `attngan`.
    """
    _prove_damsm(ledger)
    others = [name for name in ledger.unknown if name.startswith(_OTHERS)]
    ledger.leave(others, _APART)


def _prove(ledger, name, family, system):
    reader, read = _prove_damsm(ledger)
    generator = ledger.model(f"{name}/generator", "netG.", family.generator_of)
    sizes = _sizes(generator)
    judges = [
        ledger.model(
            f"{name}/discriminator", f"netD{k}.", family.discriminator_of
        )
        for k in range(len(sizes))
    ]
    endings = [*(f"_{size}" for size in sizes[:-1]), ""]
    players = {
        f"discriminator{ending}": judge
        for ending, judge in zip(endings, judges, strict=True)
    }
    system = system(
        {"generator": generator, **players},
        loss_weights={"words": 0.0, "sentence": 0.0},
        average_decay=None,
    )
    _prove_drawing(ledger, generator, sizes, read)
    _prove_training(ledger, name, system, sizes, reader)
    # Passes before and after are apart: the generator shows nothing to them.
    system.is_moving = False
    for k, (ending, size) in enumerate(zip(endings, sizes, strict=True)):
        _prove_judge(ledger, name, system, k, ending, size, read["sentence"])


def _prove_damsm(ledger):
    """Enters what the reader says, and how regions and codes match it."""
    reader = ledger.model("damsm/text", "text_encoder.", damsm_family.text_of)
    ids = ledger.input("captions", (None, None)).astype(np.int32)
    rows = len(ids)
    lengths = ledger.input("lengths", (rows,))
    longest = int(np.max(lengths, initial=1))
    mask = np.arange(longest) < lengths[:, None]
    read = _read(reader, ids[:, :longest], mask)
    words, sentence = read["words"], read["sentence"]
    ledger.compare("words", np.asarray(words).transpose(0, 2, 1))
    ledger.compare("sentence", sentence)

    width = sentence.shape[-1]
    regions = ledger.input("region_features", (rows, width, None, None))
    regions = tf.constant(regions.transpose(0, 2, 3, 1))
    code = tf.constant(ledger.input("global_code", (rows, width)))
    labels = tf.constant(ledger.input("class_ids", (rows,)), tf.int32)
    for name, scores in (
        ("words_loss", matching.word_scores(regions, words, mask)),
        ("sent_loss", matching.sentence_scores(code, sentence)),
    ):
        ledger.compare(name, np.stack(matching.matching_losses(scores, labels)))
    return reader, read


def _prove_drawing(ledger, generator, sizes, read):
    """Pictures, attention and conditions, one caption at a time."""
    inputs = _inputs(ledger, generator, read)
    drawn = [
        generator({key: x[row : row + 1] for key, x in inputs.items()})
        for row in range(len(inputs["noise"]))
    ]
    drawn = {key: np.concatenate([x[key] for x in drawn]) for key in drawn[0]}
    _compare_pictures(ledger, drawn, sizes, "eval", _PICTURES)
    for k, size in enumerate(sizes[:-1]):
        looks = pictures.thinned(
            ledger, f"attention{k}_eval", drawn[f"attention_{size}"]
        )
        ledger.compare(f"attention{k}_eval", looks, absolute=_LOOKS)
    both = np.concatenate([drawn["mean"], drawn["log_variance"]], axis=1)
    ledger.compare("mu_logvar", both)


def _prove_training(ledger, name, system, sizes, reader):
    """One pass in training mode, and what it leaves behind."""
    rows = ledger.shape("noise")[0]
    ids = ledger.input("full_captions", (rows, None)).astype(np.int32)
    read = _read(reader, ids, np.ones(ids.shape, bool))
    generator = system.players["generator"]
    inputs = _inputs(ledger, generator, read)
    drawn = generator(inputs, training=True)
    _compare_pictures(ledger, drawn, sizes, "train", _TRAINED)
    kl = latent.divergence(drawn["mean"], drawn["log_variance"])
    ledger.compare("kl", kl)
    pictures.compare_left(ledger, f"{name}/generator", generator, "netG.")


def _prove_judge(ledger, name, system, k, ending, size, sentence):
    """What one discriminator says, its loss, and what that leaves behind."""
    player = f"discriminator{ending}"
    real = pictures.enlarged(ledger, f"real16_{k}", len(sentence), size)
    fake = pictures.enlarged(ledger, f"fake16_{k}", len(sentence), size)
    features = system.features(real, player)
    ledger.compare(f"d{k}_features", pictures.theirs(features))
    # The first pass of these alone; the loss makes all of them again.
    for word, scores in zip(
        ("cond", "uncond"),
        system.scores(features, sentence, player),
        strict=False,
    ):
        ledger.compare(f"d{k}_{word}", tf.sigmoid(scores))
    batch = {
        "sentence": sentence,
        f"image{ending}": real,
        f"fakes{ending}": fake,
    }
    terms = system.judge(batch, player, ending)
    total = sum(system.loss_weights[term] * x for term, x in terms.items())
    ledger.compare(f"d{k}_loss", total)
    judge = system.players[player]
    pictures.compare_left(ledger, f"{name}/discriminator", judge, f"netD{k}.")


def _compare_pictures(ledger, drawn, sizes, mode, allowed):
    for k, size in enumerate(sizes):
        name = f"image{size}_{mode}"
        key = "image" if size == sizes[-1] else f"image_{size}"
        picture = pictures.thinned(ledger, name, drawn[key])
        ledger.compare(name, picture, absolute=allowed[min(k, 2)])


def _read(reader, ids, mask):
    inputs = {"ids": ids, "mask": mask}
    # As arrays they forget the mask that Keras hangs on them.
    found = {k: np.asarray(x) for k, x in reader(inputs).items()}
    return {key: tf.constant(x) for key, x in (found | {"mask": mask}).items()}


def _inputs(ledger, generator, read):
    """What the generator takes, by name: noise and what was read."""
    rows, told = len(read["mask"]), generator.input
    condition = generator.output["mean"].shape[-1]
    width = told["noise"].shape[-1] - condition
    parts = [
        ledger.input("noise", (rows, width)),
        ledger.input("ca_eps", (rows, condition)),
    ]
    inputs = {"noise": np.concatenate(parts, axis=1), **read}
    return {name: tf.constant(inputs[name]) for name in told}


def _sizes(generator):
    """The stages' sizes, the least first."""
    pictures = [x for n, x in generator.output.items() if n.startswith("image")]
    return sorted(each.shape[1] for each in pictures)
