"""WGAN-GP (Gulrajani et al. 2017), with or without text."""

import tensorflow as tf

from keras_t2i.losses import penalties
from keras_t2i.systems import contrasts
from keras_t2i.systems.wgan import WGAN


class WGANGP(WGAN):
    """Plays the Wasserstein game with a penalty on the critic's slope.

    Order of play, as in the Keras recipe: the critic moves `critic_moves`
    times on the SAME real pictures, each time with new fakes, new masks and
    new places between; then the generator moves once on new fakes.

    Between real picture and fake lies x = real + a * (fake - real), one a for
    each picture; the penalty asks that the score's slope there has length 1.

    Args:
        players: as for `WGAN`; the critic must not normalise over the batch.
        critic_moves: int > 0.
        is_fresh: bool. Whether each critic move takes rows of its own, as in
            the paper's algorithm 1; a batch then holds so many times more.
        alpha: "uniform" or "normal". How a is drawn. The recipe drew from
            the normal distribution until its authors called it a mistake;
            it is here for replication only.
        **kwargs: as for `WGAN`; `clip` is None here. The penalty weighs 10.

    Batches: as for `WGAN`, B rows unless `is_fresh`.

    Raises:
        ValueError: if an argument is out of range.

    Source:
        Gulrajani et al. 2017, algorithm 1, arXiv:1704.00028; keras.io,
        `generative/wgan_gp`. Ours differs: fakes are not drawn on the
        critic's tape, where nobody used them; logs are means over the
        critic's moves, not the last one's.
    """

    TERMS = ("real", "wrong", "fake", "penalty", "fool", *contrasts.TERMS)

    def __init__(
        self,
        players,
        *,
        critic_moves=3,
        is_fresh=False,
        alpha="uniform",
        **kwargs,
    ):
        if alpha not in ("uniform", "normal"):
            raise ValueError(
                f"alpha is {alpha!r}; allowed: 'uniform', 'normal'."
            )
        self.alpha = alpha
        self.is_fresh = is_fresh
        kwargs = {"clip": None, **kwargs}
        super().__init__(players, critic_moves=critic_moves, **kwargs)
        for layer in self.players["discriminator"]._flatten_layers():
            if type(layer).__name__.startswith("BatchNorm"):
                raise ValueError(
                    f"{layer.name} of the critic normalises over the batch, "
                    "so that a picture's slope depends on the others: take a "
                    "critic without, such as that of df_gan or wgan_gp."
                )

    def default_weights(self):
        """Weighs the terms as the paper does."""
        return super().default_weights() | {"penalty": 10.0}

    @property
    def batches_per_move(self):
        """How many batches' rows a move takes: one, unless `is_fresh`."""
        return self.critic_moves if self.is_fresh else 1

    def judge(self, batch, salt):
        """Adds the penalty to what `WGAN` compares.

        Args:
            batch: dict of tensors, with "fakes" (B, H, W, C).
            salt: str. Names the draws of this critic move.

        Returns:
            dict of () float32: real, fake and, if weighed, wrong and penalty.
        """
        terms = super().judge(batch, salt)
        if self.is_used("penalty"):
            terms["penalty"] = self.penalty(batch, salt)
        return terms

    def penalty(self, batch, salt):
        """Measures how far the critic's slope is from length 1.

        Args:
            batch: dict of tensors, with "fakes" (B, H, W, C).
            salt: str. Names the draws of this critic move.

        Returns:
            () float32 >= 0.
        """
        real, fakes = batch["image"], batch["fakes"]
        rows, salted = tf.shape(real)[0], f"{salt} alpha"
        if self.alpha == "uniform":
            share = self.uniform(salted, rows, (1,))
        else:
            share = self.noise(salted, rows, 1)
        share = share[:, :, tf.newaxis, tf.newaxis]
        mixed = real + share * (fakes - real)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            sentence = batch.get("sentence")
            scores = self.scores(mixed, sentence, f"{salt} between")
        (slopes,) = self.steepness(scores, [mixed], tape)
        return penalties.two_sided(slopes)
