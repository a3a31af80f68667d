"""AttnGAN and DM-GAN as their authors' PyTorch code computes them: DAMSM.

Recorded are, besides the rest, the reader of captions, what it reads, and the
losses that match regions and codes of pictures with it; both record the same.
The generators and discriminators are not in this library yet. `prove` leaves
their arrays unknown, so that a whole file fails; `damsm` is asked for its part
and says which arrays belong to the others.
"""

import numpy as np
import tensorflow as tf

from keras_t2i.losses import matching
from keras_t2i.weights.families import damsm as family

_APART = "of the generator and the discriminators, which were not asked for"
_OTHERS = (
    "after_forward/",
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


def prove(ledger):
    """Enters the outputs that this library computes into the ledger.

    Args:
        ledger: `tools.parity.Ledger` of an `attngan` or `dmgan` file.

    Raises:
        ValueError: if an input or a weight is missing or misshapen.
    """
    reader = ledger.model("damsm/text", "text_encoder.", family.text_of)
    ids = ledger.input("captions", (None, None)).astype(np.int32)
    rows = len(ids)
    lengths = ledger.input("lengths", (rows,))
    longest = int(np.max(lengths, initial=1))
    mask = np.arange(longest) < lengths[:, None]
    read = reader({"ids": ids[:, :longest], "mask": mask})
    words, sentence = read["words"], read["sentence"]
    ledger.compare("words", np.asarray(words).transpose(0, 2, 1))
    ledger.compare("sentence", np.asarray(sentence))

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


def damsm(ledger):
    """Enters them, and leaves out the arrays of the other networks.

    Args:
        ledger: as for `prove`.

    Raises:
        ValueError: as `prove`.
    """
    prove(ledger)
    others = [name for name in ledger.unknown if name.startswith(_OTHERS)]
    ledger.leave(others, _APART)
