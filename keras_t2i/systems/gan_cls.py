"""GAN, GAN-CLS, GAN-INT and GAN-INT-CLS (Reed et al. 2016).

The four are one game with two weights, as in the authors' code: a mismatched
pair for the discriminator (CLS) and sentences between sentences for the
generator (INT).
"""

import tensorflow as tf

from keras_t2i.losses import adversarial, feature
from keras_t2i.ops import replicas
from keras_t2i.systems import contrasts
from keras_t2i.systems.system import System


class GAN(System):
    """Draws pictures from sentences with the text-conditioned GAN.

    Order of play: the discriminator sees real pictures, mismatched pairs and
    fakes in that order, in separate forward passes (each with its own batch
    statistics), and moves once; the generator then draws with new noise and
    moves once against the moved discriminator, which stays in training mode.

    With `mismatch_weight` w the discriminator minimises
    real + w * wrong + (1 - w) * fake. With `interpolation_weight` v the
    generator's batch grows by half: row B + k draws from
    beta * h[k] + (1 - beta) * h[k + B / 2], and each row counts 1 or v.

    Args:
        players: {"generator", "discriminator"}: a pair of
            `networks.gan_cls` or `networks.dcgan_cls`, or any networks with
            the same inputs and outputs.
        mismatch_weight: float in [0, 1]. 0 plays without mismatched pairs.
        interpolation_weight: float >= 0. 0 plays without in-between text.
        beta: float in [0, 1]. Where between two sentences to draw from.
        game: `losses.adversarial.Game`; None means `bce()`.
        **kwargs: as for `System`. Terms are real, wrong, fake (of the
            discriminator), fool, between, matching, pixel (of the
            generator) and `contrasts.TERMS`. matching (feature matching)
            and pixel (L1) have weight 0 here; aelnouby's code has 100 and 50,
            with real, wrong and fake at 1 and a real target of 0.9.

    Batches: "image" (B, H, W, 3), "sentence" (B, C); for mismatched pairs
    "wrong_image" (B, H, W, 3) or "wrong_sentence" (B, C).

    Source:
        Reed et al. 2016, algorithm 1 and eq. 5, arXiv:1605.05396; weights
        as in the released code. Ours differs: a wrong SENTENCE reuses the
        real picture's features, so the trunk's running statistics move once
        for both (nothing else changes); under replicas the sentences are
        paired over the whole batch.
    """

    TERMS = (
        *("real", "wrong", "fake"),
        *("fool", "between", "matching", "pixel"),
        *contrasts.TERMS,
    )

    def __init__(
        self,
        players,
        *,
        mismatch_weight=0.0,
        interpolation_weight=0.0,
        beta=0.5,
        game=None,
        **kwargs,
    ):
        self.mismatch_weight = _within_one("mismatch_weight", mismatch_weight)
        self.interpolation_weight = interpolation_weight
        self.beta = _within_one("beta", beta)
        self.game = game or adversarial.bce()
        super().__init__(players, **kwargs)

    def default_weights(self):
        """Weighs the terms as Reed's code does."""
        w, v = self.mismatch_weight, self.interpolation_weight
        plain = 2.0 / 3.0 if v else 1.0
        return {
            "real": 1.0,
            "wrong": w,
            "fake": 1.0 - w,
            "fool": plain,
            "between": v * (1.0 - plain),
            "matching": 0.0,
            "pixel": 0.0,
        }

    def train_step(self, batch):
        """Plays one move: the discriminator's, then the generator's."""
        if self.is_used("between"):
            batch = self.each(self.halfway, batch)
        shown = self.each(self.imagine, batch)
        self.descend("discriminator", self.judge, shown)
        self.descend("generator", self.persuade, batch)
        return self.finish()

    def imagine(self, batch):
        """Draws the fakes that the discriminator sees.

        Args:
            batch: dict of tensors.

        Returns:
            {"fakes": (B, H, W, 3)}.
        """
        return {"fakes": self.fakes(batch["sentence"], "judge")}

    def halfway(self, batch):
        """Finds the sentences between sentences.

        Args:
            batch: dict of tensors.

        Returns:
            {"between": (B / 2, C)}.
        """
        return {"between": self.between(batch["sentence"])}

    def judge(self, batch):
        """Scores real, wrong and fake pairs.

        Args:
            batch: dict of tensors, with "fakes" (B, H, W, 3).

        Returns:
            dict of () float32: real, fake and, if weighed, wrong.
        """
        sentence = batch["sentence"]
        features = self.features(batch["image"])
        terms = {"real": self.game.real(self.score(features, sentence))}
        if self.is_used("wrong"):
            terms["wrong"] = self.game.fake(self.score_wrong(batch, features))
        if self.is_used("fake"):
            scores = self.score(self.features(batch["fakes"]), sentence)
            terms["fake"] = self.game.fake(scores)
        return terms

    def score_wrong(self, batch, features):
        """Scores pictures and sentences that don't belong together.

        Args:
            batch: dict with "wrong_image" or "wrong_sentence".
            features: the trunk's features of "image".

        Returns:
            (B,) float32 scores.

        Raises:
            ValueError: if the batch holds neither.
        """
        pictures, sentences = self.mismatched(batch)
        if pictures is not batch["image"]:
            features = self.features(pictures)
        return self.score(features, sentences)

    def persuade(self, batch):
        """Draws anew and asks the discriminator what it thinks.

        Args:
            batch: dict of tensors, with "between" if that is weighed.

        Returns:
            dict of () float32: fool and the other weighed terms.
        """
        sentences, rows = batch["sentence"], tf.shape(batch["image"])[0]
        latent = self.latent(sentences, "persuade")
        if self.is_used("between"):
            mixed = batch["between"]
            latent = tf.concat([latent, self.latent(mixed, "between")], 0)
            sentences = tf.concat([sentences, mixed], 0)
        fakes = self.draw(sentences, latent)
        features = self.features(fakes)
        scores = self.score(features, sentences)
        self.show(fakes[:rows], batch)
        terms = {"fool": self.game.fool(scores[:rows])}
        if self.is_used("between"):
            terms["between"] = self.game.fool(scores[rows:])
        if self.is_used("matching"):
            real = self.features(batch["image"])
            terms["matching"] = feature.matching(features[:rows], real)
        if self.is_used("pixel"):
            terms["pixel"] = feature.pixel(fakes[:rows], batch["image"])
        return terms

    def between(self, sentences):
        """Mixes the first half of the whole batch with the second.

        Args:
            sentences: (B, C) float32.

        Returns:
            (B / 2, C) float32.

        Raises:
            ValueError: if B is odd or not fixed.
        """
        rows = sentences.shape[0]
        if rows is None or rows % 2:
            raise ValueError(
                f"The batch has {rows or 'a changing number of'} rows on each "
                "replica; drawing between sentences needs a fixed, even one."
            )
        first, second = tf.split(replicas.gather(sentences), 2)
        return replicas.share(self.beta * first + (1.0 - self.beta) * second)


class GANCLS(GAN):
    """Learns from mismatched pairs too: `GAN` with mismatch_weight 0.5."""

    def __init__(self, players, *, mismatch_weight=0.5, **kwargs):
        super().__init__(players, mismatch_weight=mismatch_weight, **kwargs)


class GANINT(GAN):
    """Draws between sentences too: `GAN` with interpolation_weight 1."""

    def __init__(self, players, *, interpolation_weight=1.0, **kwargs):
        super().__init__(
            players, interpolation_weight=interpolation_weight, **kwargs
        )


class GANINTCLS(GAN):
    """Does both: `GAN` with mismatch_weight 0.5, interpolation_weight 1."""

    def __init__(
        self,
        players,
        *,
        mismatch_weight=0.5,
        interpolation_weight=1.0,
        **kwargs,
    ):
        super().__init__(
            players,
            mismatch_weight=mismatch_weight,
            interpolation_weight=interpolation_weight,
            **kwargs,
        )


def _within_one(name, value):
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value}; allowed: [0, 1].")
    return value
