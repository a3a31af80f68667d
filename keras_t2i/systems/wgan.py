"""WGAN (Arjovsky et al. 2017), with or without text."""

import functools

import tensorflow as tf

from keras_t2i.losses import adversarial
from keras_t2i.systems import contrasts
from keras_t2i.systems.system import System


class WGAN(System):
    """Plays the Wasserstein game with a critic whose weights are clipped.

    Order of play: the critic (player "discriminator") makes `critic_moves`
    moves, each on rows of its own with new fakes, and is clipped after each;
    then the generator draws anew for the last of these rows and moves once.
    So a batch holds `critic_moves` times the rows of one move.

    The critic minimises fake - real + w * wrong, means of its scores: terms
    real, fake and wrong are logged with the signs they are minimised with,
    averaged over the critic's moves. The generator minimises fool, minus its
    fakes' mean score.

    Args:
        players: {"generator", "discriminator"}: networks with text, such as
            the pair of `networks.dcgan_cls`, or without, such as that of
            `networks.wgan_gp`.
        critic_moves: int > 0. N_I, moves of the critic for each of the
            generator.
        clip: float > 0. Bound of every weight of the critic, those of batch
            norm and of the text's projection included; None clips nothing.
        mismatch_weight: float >= 0. w; 0 plays without mismatched pairs.
        **kwargs: as for `System`.

    Batches: "image" (critic_moves * B, H, W, C); with text "sentence" (..., C)
    and, for mismatched pairs, "wrong_image" or "wrong_sentence".

    Raises:
        ValueError: if an argument is out of range.

    Source:
        Arjovsky et al. 2017, algorithm 1, arXiv:1701.07875; with text as in
        aelnouby/Text-to-Image-Synthesis. Ours differs: each critic move takes
        fresh rows, but there are no 100 moves before the first 25 of the
        generator and every 500th; the score stays one number a picture until
        the loss takes the mean. (One report prints the critic's loss as
        s_real - s_fake, the wrong sign for what is minimised.)
    """

    TERMS = ("real", "wrong", "fake", "fool", *contrasts.TERMS)

    def __init__(
        self,
        players,
        *,
        critic_moves=5,
        clip=0.01,
        mismatch_weight=0.0,
        **kwargs,
    ):
        self.critic_moves = _positive("critic_moves", critic_moves)
        self.clip = None if clip is None else _positive("clip", clip)
        if mismatch_weight < 0.0:
            raise ValueError(
                f"mismatch_weight is {mismatch_weight}; allowed: 0 and more."
            )
        self.mismatch_weight = mismatch_weight
        self.game = adversarial.wasserstein()
        super().__init__(players, **kwargs)
        critic = self.players["discriminator"]
        if self.is_used("wrong") and "sentence" not in critic.input:
            raise ValueError(
                "Mismatched pairs weigh "
                f"{self.loss_weights['wrong']:g}, but the critic reads no "
                "sentence: set mismatch_weight to 0."
            )

    def default_weights(self):
        """Weighs the terms as the paper does."""
        return super().default_weights() | {"wrong": self.mismatch_weight}

    @property
    def batches_per_move(self):
        """How many batches' rows a move takes: one for each critic move."""
        return self.critic_moves

    def steps_of(self, player):
        """Counts a player's steps in a move: the critic makes several.

        Args:
            player: str.

        Returns:
            int.
        """
        return self.critic_moves if player == "discriminator" else 1

    def train_step(self, batch):
        """Plays one move: the critic's moves, then the generator's."""
        parts = self.split(batch, self.batches_per_move)
        for number in range(self.critic_moves):
            part, salt = parts[number % len(parts)], f"judge {number}"
            draw = functools.partial(self.imagine, salt=salt)
            shown = self.each(draw, part)
            judge = functools.partial(self.judge, salt=salt)
            self.descend("discriminator", judge, shown)
            self.limit()
        self.descend("generator", self.persuade, parts[-1])
        return self.finish()

    def imagine(self, batch, salt):
        """Draws the fakes that the critic sees.

        Args:
            batch: dict of tensors.
            salt: str. Names the draw.

        Returns:
            {"fakes": (B, H, W, C)}.
        """
        return {"fakes": self.fakes_beside(batch, salt)}

    def fakes_beside(self, batch, salt):
        """Draws a fake for each row of a batch.

        Args:
            batch: dict of tensors.
            salt: str. Names the draw.

        Returns:
            (B, H, W, C) float32 in [-1, 1].
        """
        latent = self.latent(batch["image"], salt)
        return self.draw(batch.get("sentence"), latent)

    def judge(self, batch, salt):
        """Compares the critic's scores of real, fake and mismatched pairs.

        Args:
            batch: dict of tensors, with "fakes" (B, H, W, C).
            salt: str. Names the draws of this critic move.

        Returns:
            dict of () float32: real, fake and, if weighed, wrong.

        Raises:
            ValueError: if mismatched pairs are weighed and there are none.
        """
        sentence = batch.get("sentence")
        real = self.scores(batch["image"], sentence, f"{salt} real")
        fake = self.scores(batch["fakes"], sentence, f"{salt} fake")
        terms = {"real": self.game.real(real), "fake": self.game.fake(fake)}
        if self.is_used("wrong"):
            pair = self.mismatched(batch)
            wrong = self.scores(*pair, f"{salt} wrong")
            terms["wrong"] = self.game.fake(wrong)
        return terms

    def persuade(self, batch):
        """Draws anew and asks the critic what it thinks.

        Args:
            batch: dict of tensors.

        Returns:
            {"fool": () float32}.
        """
        fakes = self.fakes_beside(batch, "persuade")
        self.show(fakes, batch)
        scores = self.scores(fakes, batch.get("sentence"), "persuade")
        return {"fool": self.game.fool(scores)}

    def scores(self, pictures, sentences, salt):
        """Scores pictures, beside sentences if the critic reads them.

        Args:
            pictures: (B, H, W, C) float32 in [-1, 1].
            sentences: (B, C) float32, or None.
            salt: str. Names the draws of dropout.

        Returns:
            (B,) float32, any range; high means real.
        """
        critic = self.players["discriminator"]
        masks = self.masks(critic, tf.shape(pictures)[0], salt)
        inputs = {"image": pictures, **masks}
        if "sentence" not in critic.input:
            return self.run(critic, inputs)["alone"]
        inputs["sentence"] = sentences
        return self.run(critic, inputs)["matched"]

    def limit(self):
        """Clips the critic's weights."""
        if not self.is_moving or self.clip is None:
            return
        for variable in self.players["discriminator"].trainable_variables:
            bounded = tf.clip_by_value(variable.value, -self.clip, self.clip)
            variable.assign(bounded)


def _positive(name, value):
    if value <= 0:
        raise ValueError(f"{name} is {value}; allowed: above 0.")
    return value
