"""AttnGAN (Xu et al. 2018): pictures in stages, words where they belong."""

import functools

import tensorflow as tf

from keras_t2i.losses import adversarial, latent
from keras_t2i.systems import checks, contrasts
from keras_t2i.systems.system import System


class AttnGAN(System):
    """Draws a small picture from a sentence, and larger ones from its words.

    Order of play, as in the authors' code: fakes of all sizes are drawn once;
    the discriminators, one a size, each move once on real, fake and
    mismatched pairs, in forward passes of their own (each with its own batch
    statistics); the generator moves once on the same fakes, scored by the
    moved discriminators.

    Each discriminator scores a picture twice: beside its sentence, and alone.
    Its terms are real (mean of both scores' losses), fake (sum of both) and
    wrong (beside the sentence only): picture i with the sentence of picture
    i + 1, the last with none. The generator's are fool (sum of both), the
    divergence of its condition, and words and sentence: how well readers
    trained before (DAMSM) match the largest fakes with their captions. All
    are sums over sizes. In the sum of losses, real weighs 1, fake and wrong
    1/3 each (1/2, where no picture is scored alone), words and sentence 5.

    Two branches make of it T2I_CL's AttnGAN+CL (fake_to_fake 0.2, twins) or
    the supervised contrast (supervised, partners): see `System`.

    Args:
        players: {"generator", "discriminator", and one "discriminator_S" for
            each smaller size S}: those of `networks.attngan`, or networks
            with the same inputs and outputs.
        game: `losses.adversarial.Game`; None means `bce()`.
        average_decay: float in [0, 1) or None. As for `System`; 0.999 here.
        **kwargs: as for `System`; an `image_reader` is needed unless words
            and sentence weigh 0.

    Batches: "image" (B, H, W, 3), "image_S" (B, S, S, 3) for each smaller
    size, "sentence" (B, C), "words" (B, T, C), "mask" (B, T); for
    `masks_classes` "label" (B,).

    Raises:
        ValueError: if players, arguments or weights don't fit.

    Source:
        Xu et al. 2018, eq. 4-6, arXiv:1711.10485, weights and order of the
        released code: no 1/2 before the generator's two scores; the
        divergence is a mean over the condition's numbers. Ours differs:
        batches are not sorted by length, so other pairs are mismatched;
        each branch has noise of its own and twins are never one caption;
        cross-entropy is taken of logits, where the code takes it of
        probabilities, which saturate; the average of the generator is kept
        beside it, so a run goes on from where it stood. On several replicas
        pairs are mismatched over the whole batch, and the last replica's
        mismatched pairs take batch statistics of one row more. With
        `micro_batches` the generator draws again, part by part, and its
        batch statistics move for both.
    """

    TERMS = (
        *("real", "wrong", "fake"),
        *("fool", "condition"),
        *contrasts.TERMS,
    )
    MATCHES = True

    def __init__(
        self,
        players,
        *,
        game=None,
        average_decay=0.999,
        **kwargs,
    ):
        self.game = game or adversarial.bce()
        self.judges = _judges(players)
        super().__init__(players, average_decay=average_decay, **kwargs)

    def default_weights(self):
        """Weighs the terms as the paper's code does on birds."""
        is_alone = _scores_alone(self.players["discriminator"])
        rest = 1.0 / 3.0 if is_alone else 0.5
        return dict(
            real=1.0,
            wrong=rest,
            fake=rest,
            fool=1.0,
            condition=1.0,
            words=5.0,
            sentence=5.0,
        )

    def train_step(self, batch):
        """Plays one move: the discriminators', then the generator's."""
        batch = self.each(self.prepare, batch)
        with tf.GradientTape() as tape:
            shown = self.each(self.imagine, batch)
        judges = {
            player: functools.partial(self.judge, player=player, size=size)
            for player, size in self.judges.items()
        }
        self.descend(tuple(judges), judges, self.still(shown))
        self.descend("generator", self.persuade, shown, tape, anew=batch)
        return self.finish()

    def prepare(self, batch):
        """Draws noise.

        Args:
            batch: dict of tensors.

        Returns:
            {"latent": (B, Z)}.

        Raises:
            ValueError: if the batch lacks what is read or looked at.
            tf.errors.InvalidArgumentError: if a caption's mask is all False.
        """
        missing = [key for key in self._keys() if key not in batch]
        if missing:
            raise ValueError(
                f"The batch has no {', '.join(missing)}; {type(self).__name__} "
                f"takes {', '.join(self._keys())}: ask the pipeline for words, "
                "and for smaller pictures by base_size."
            )
        latent = self.latent(batch["sentence"], "fakes")
        checked = checks.worded(batch["mask"]) if "mask" in batch else []
        with tf.control_dependencies(checked):
            return {"latent": tf.identity(latent)}

    def _keys(self):
        """What a branch of a batch needs."""
        keys = set(self.players["generator"].input) - {"noise"}
        if self.is_used("words"):
            keys |= {"words", "mask"}
        pictures = [f"image{size}" for size in self.judges.values()]
        return [*pictures, *sorted(keys | {"sentence"})]

    def imagine(self, batch):
        """Draws the fakes that all players see.

        Args:
            batch: dict of tensors, with "latent".

        Returns:
            dict: "fakes" (B, H, W, 3), "fakes_S" for each smaller size,
            "mean" and "log_variance" (B, D) of the condition.
        """
        generator = self.players["generator"]
        names = set(generator.input) - {"noise"}
        inputs = {name: batch[name] for name in names}
        drawn = self.run(generator, inputs | {"noise": batch["latent"]})
        found = {key: drawn[key] for key in ("mean", "log_variance")}
        for size in self.judges.values():
            found[f"fakes{size}"] = drawn[f"image{size}"]
        return found

    def judge(self, batch, player, size):
        """Scores real, mismatched and fake pairs of one size.

        Args:
            batch: dict of tensors, with "fakes" and "fakes_S".
            player: str. Which discriminator.
            size: str. What the keys of its pictures end in.

        Returns:
            dict of () float32: real and, if weighed, fake and wrong.
        """
        sentence = batch["sentence"]
        features = self.features(batch[f"image{size}"], player)
        real = self.scores(features, sentence, player)
        terms = {"real": sum(map(self.game.real, real)) / len(real)}
        if self.is_used("fake"):
            seen = self.features(batch[f"fakes{size}"], player)
            fake = self.scores(seen, sentence, player)
            terms["fake"] = sum(map(self.game.fake, fake))
        if self.is_used("wrong"):
            terms["wrong"] = self.mismatch(
                features, sentence, self.game.fake, player
            )
        return terms

    def persuade(self, batch):
        """Asks the moved discriminators and the readers about the fakes.

        Args:
            batch: dict of tensors, with "latent", and with "fakes" and all
                else that `imagine` gives, if that lies on the generator's
                tape; else it is drawn again.

        Returns:
            dict of () float32: fool and the other weighed terms.
        """
        if "fakes" not in batch:
            batch = batch | self.imagine(batch)
        sentence, scores, terms = batch["sentence"], [], {"fool": 0.0}
        for player, size in self.judges.items():
            # One after the other: the largest needs the memory of all.
            with tf.control_dependencies(scores):
                fakes = tf.identity(batch[f"fakes{size}"])
            features = self.features(fakes, player)
            scores = self.scores(features, sentence, player)
            terms["fool"] += sum(map(self.game.fool, scores))
        if self.is_used("condition"):
            parts = batch["mean"], batch["log_variance"]
            terms["condition"] = latent.divergence(*parts)
        self.show(batch["fakes"], batch)
        return terms

    def scores(self, features, sentences, player):
        """Scores features beside sentences and, where there is such, alone.

        Args:
            features: (N, h, w, F) float.
            sentences: (N, C) float32.
            player: str. Which discriminator.

        Returns:
            List of (N,) float32.
        """
        found = [self.score(features, sentences, player)]
        if _scores_alone(self.players[player]):
            alone = self.players[player].get_layer("alone")
            found.append(self.run(alone, features))
        return found


def _judges(players):
    """Discriminator -> what the keys of its pictures end in, small to large."""
    found = {
        name: name.removeprefix("discriminator")
        for name in players
        if name.startswith("discriminator")
    }
    drawn = {key for key in players["generator"].output if "image" in key}
    if {f"image{size}" for size in found.values()} != drawn:
        raise ValueError(
            f"The generator draws {', '.join(sorted(drawn))}; players are "
            f"{', '.join(sorted(players))}. Each picture has a discriminator "
            "of its ending."
        )
    sides = {n: players[n].input["image"].shape[1] for n in found}
    return {name: found[name] for name in sorted(found, key=sides.get)}


def _scores_alone(player):
    return "alone" in player.output
