"""DF-GAN (Tao et al.): one stage, one score, a flat neighbourhood.

`DFGAN` is the version of 2022, `DFGAN2020` that of the first preprint, which
SSA-GAN grew out of and many papers compare with.
"""

import tensorflow as tf

from keras_t2i.losses import adversarial, feature, penalties
from keras_t2i.ops import replicas
from keras_t2i.systems import checks, contrasts
from keras_t2i.systems.ssa_gan import SSAGAN
from keras_t2i.systems.system import System


class DFGAN(System):
    """Draws pictures in one stage with a matching-aware penalty.

    Order of play, as in the code of June 2022: fakes are drawn once; the
    discriminator scores real pairs, mismatched pairs and the fakes, and moves
    once on the hinge terms and the penalty, which reuses the real pairs'
    forward pass; the generator moves once on the same fakes, scored anew by
    the moved discriminator.

    Mismatched pairs are picture i with the sentence of picture i - 1, the
    first with the last's. Terms are real, wrong, fake and penalty of the
    discriminator, fool, seeking and `contrasts.TERMS` of the generator.
    seeking (weight 0 here) asks other noise for other pictures; it draws once
    more.

    Args:
        players: {"generator", "discriminator"}: the pair of
            `networks.df_gan`, or networks with the same inputs and outputs.
        game: `losses.adversarial.Game`; None means `hinge()`.
        **kwargs: as for `System`.

    Batches: "image" (B, H, W, 3), "sentence" (B, C).

    Source:
        Tao et al. 2022, eq. 1-2, arXiv:2008.05865, and the released code.
        Ours differs: under replicas sentences are rolled over the whole
        batch, where the code rolls on each device; the average of the
        generator, if asked for, is ours. Test pictures are drawn with plain
        noise, where that code cuts it at two deviations and takes 0.88 of it.
    """

    TERMS = (
        *("real", "wrong", "fake", "penalty"),
        *("fool", "seeking"),
        *contrasts.TERMS,
    )

    def __init__(self, players, *, game=None, **kwargs):
        self.game = game or adversarial.hinge()
        super().__init__(players, **kwargs)

    def default_weights(self):
        """Weighs the terms as the paper does."""
        return dict(
            real=1.0, wrong=0.5, fake=0.5, penalty=2.0, fool=1.0, seeking=0.0
        )

    def train_step(self, batch):
        """Plays one move: the discriminator's, then the generator's."""
        batch = self.each(self.prepare, batch)
        with tf.GradientTape() as tape:
            shown = self.each(self.imagine, batch)
        self.descend("discriminator", self.judge, self.still(shown))
        self.descend("generator", self.persuade, shown, tape, anew=batch)
        return self.finish()

    def prepare(self, batch):
        """Finds mismatched sentences and draws noise.

        Args:
            batch: dict of tensors.

        Returns:
            {"wrong_sentence": (B, C), "latent": (B, Z)}.
        """
        return {
            "wrong_sentence": self.neighbours(batch["sentence"]),
            "latent": self.latent(batch["sentence"], "fakes"),
        }

    def imagine(self, batch):
        """Draws the fakes that both players see.

        Args:
            batch: dict of tensors, with "latent".

        Returns:
            {"fakes": (B, H, W, 3)}.
        """
        return {"fakes": self.draw(batch["sentence"], batch["latent"])}

    def judge(self, batch):
        """Scores real, mismatched and fake pairs and the slope at the real.

        Args:
            batch: dict of tensors, with "fakes" (B, H, W, 3) and
                "wrong_sentence" (B, C).

        Returns:
            dict of () float32: real and, if weighed, wrong, fake and penalty.
        """
        pair = [batch["image"], batch["sentence"]]
        with tf.GradientTape() as tape:
            tape.watch(pair)
            features = self.features(pair[0])
            real = self.score(features, pair[1])
        terms = {"real": self.game.real(real)}
        if self.is_used("wrong"):
            wrong = self.score(features, batch["wrong_sentence"])
            terms["wrong"] = self.game.fake(wrong)
        if self.is_used("fake"):
            fake = self.score(self.features(batch["fakes"]), batch["sentence"])
            terms["fake"] = self.game.fake(fake)
        if self.is_used("penalty"):
            slopes = self.steepness(real, pair, tape)
            terms["penalty"] = penalties.matching_aware(slopes)
        return terms

    def persuade(self, batch):
        """Asks the moved discriminator about the same fakes.

        Args:
            batch: dict of tensors, with "latent" (B, Z), the noise of the
                fakes, and "fakes" (B, H, W, 3) if they lie on the
                generator's tape; else they are drawn again.

        Returns:
            dict of () float32: fool and, if weighed, seeking.
        """
        sentence, latent = batch["sentence"], batch["latent"]
        fakes = batch.get("fakes")
        if fakes is None:
            fakes = self.draw(sentence, latent)
        scores = self.score(self.features(fakes), sentence)
        self.show(fakes, batch)
        terms = {"fool": self.game.fool(scores)}
        if self.is_used("seeking"):
            other = self.latent(sentence, "seeking")
            drawn = fakes, self.draw(sentence, other), latent, other
            # The inverse of a mean: halves of a batch don't add up to it.
            whole = [replicas.gather(part) for part in drawn]
            terms["seeking"] = feature.seeking(*whole)
        return terms

    def neighbours(self, sentences):
        """Hands each picture the sentence of the one before it.

        Args:
            sentences: (B, C) float32.

        Returns:
            (B, C) float32.

        Raises:
            ValueError: if the whole batch has one row, and wrong weighs
                something.
            tf.errors.InvalidArgumentError: the same, where a graph doesn't
                know the number of rows.
        """
        whole, weight = replicas.gather(sentences), self.loss_weights["wrong"]
        checked = checks.plural(whole, weight) if weight else []
        with tf.control_dependencies(checked):
            return replicas.share(tf.roll(whole, 1, axis=0))


class DFGAN2020(SSAGAN):
    """Plays as DF-GAN's code did before June 2022.

    Order of play and terms are `SSAGAN`'s, without words and sentence: the
    penalty has a step of its own, and the last picture is not mismatched.

    Args:
        players: {"generator", "discriminator"}: the pair of
            `networks.df_gan_2020`, or networks with the same inputs and
            outputs.
        **kwargs: as for `SSAGAN`.

    Source:
        Tao et al. 2020, eq. 1 and 2, arXiv:2008.05865v1, and the released
        code before June 2022. Ours differs: batches are not sorted by
        length, so other pairs are mismatched; on several replicas (the code
        knows one) pairs are mismatched over the whole batch; the average of
        the generator, if asked for, is ours.
    """

    MATCHES = False

    def default_weights(self):
        """Weighs the terms as the paper does."""
        return super().default_weights() | dict(words=0.0, sentence=0.0)
