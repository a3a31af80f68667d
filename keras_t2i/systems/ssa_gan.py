"""SSA-GAN (Liao et al. 2022): masks say where the sentence is heard."""

import tensorflow as tf

from keras_t2i.losses import adversarial, penalties
from keras_t2i.systems import checks, contrasts, damsm
from keras_t2i.systems.matching import KINDS
from keras_t2i.systems.system import System


class SSAGAN(System):
    """Draws pictures in one stage, with a penalty that has a step of its own.

    Order of play, as in the authors' code: fakes are drawn once; the
    discriminator scores real pairs, mismatched pairs and the fakes and moves
    on the hinge terms; then, moved, it looks at the real pairs again and
    moves on the matching-aware penalty, with the same Adam; the generator
    moves once on the same fakes, scored by the discriminator that moved twice.

    Mismatched pairs are picture i with the sentence of picture i + 1, the
    last with none. Terms are real, wrong, fake and penalty of the
    discriminator, fool and `contrasts.TERMS` of the generator, of which words
    and sentence weigh 0.05.

    Args:
        players: {"generator", "discriminator"}: the pair of
            `networks.ssa_gan`, or networks with the same inputs and outputs.
        game: `losses.adversarial.Game`; None means `hinge()`.
        gammas: three floats > 0. As for `System`; (5, 5, 10) here.
        **kwargs: as for `System`; an `image_reader` is needed unless words
            and sentence weigh 0.

    Batches: "image" (B, H, W, 3), "sentence" (B, C); for words "words"
    (B, T, C) and "mask" (B, T).

    Raises:
        ValueError: if arguments or weights don't fit.

    Source:
        Liao et al. 2022, eq. 6 to 8, arXiv:2104.00567, and the released code
        of frozen readers (main.py) under PyTorch 1, whose Adam moves biases
        that the penalty doesn't reach by gradients of 0. Ours differs:
        batches are not sorted by length, so other pairs are mismatched; on
        several replicas the generator's norms take each one's own numbers,
        unless it was built with `synchronized`, as the code's are; the average
        of the generator, if asked for, is ours. With `micro_batches` the
        generator draws again, part by part, and its batch statistics move for
        both; pairs are mismatched and matched in each part.
    """

    TERMS = (
        *("real", "wrong", "fake", "penalty"),
        "fool",
        *contrasts.TERMS,
    )
    MATCHES = True

    def __init__(
        self, players, *, game=None, gammas=(5.0, 5.0, 10.0), **kwargs
    ):
        self.game = game or adversarial.hinge()
        super().__init__(players, gammas=gammas, **kwargs)

    def default_weights(self):
        """Weighs the terms as the paper's code does."""
        return dict(
            real=1.0,
            wrong=0.5,
            fake=0.5,
            penalty=2.0,
            fool=1.0,
            words=0.05,
            sentence=0.05,
        )

    def steps_of(self, player):
        """Counts a player's steps in a move.

        Args:
            player: str.

        Returns:
            int: 2 of the discriminator, if the penalty counts; else 1.
        """
        is_twice = player == "discriminator" and self.is_used("penalty")
        return 2 if is_twice else 1

    def train_step(self, batch):
        """Plays one move: the discriminator's two, then the generator's."""
        batch = self.each(self.prepare, batch)
        with tf.GradientTape() as tape:
            shown = self.each(self.imagine, batch)
        self.descend("discriminator", self.judge, self.still(shown))
        if self.is_used("penalty"):
            # Biases don't change the slope of a bent line: Adam gets zeros.
            self.descend("discriminator", self.smooth, batch, is_partial=True)
        self.descend("generator", self.persuade, shown, tape, anew=batch)
        return self.finish()

    def prepare(self, batch):
        """Draws noise.

        Args:
            batch: dict of tensors.

        Returns:
            {"latent": (B, Z)}.
        """
        return {"latent": self.latent(batch["sentence"], "fakes")}

    def imagine(self, batch):
        """Draws the fakes that both players see.

        Args:
            batch: dict of tensors, with "latent".

        Returns:
            {"fakes": (B, H, W, 3)}.
        """
        return {"fakes": self.draw(batch["sentence"], batch["latent"])}

    def judge(self, batch):
        """Scores real, mismatched and fake pairs.

        Args:
            batch: dict of tensors, with "fakes" (B, H, W, 3).

        Returns:
            dict of () float32: real and, if weighed, wrong and fake.
        """
        sentence = batch["sentence"]
        features = self.features(batch["image"])
        terms = {"real": self.game.real(self.score(features, sentence))}
        if self.is_used("wrong"):
            loss = self.game.fake
            terms["wrong"] = self.mismatch(features, sentence, loss)
        if self.is_used("fake"):
            scores = self.score(self.features(batch["fakes"]), sentence)
            terms["fake"] = self.game.fake(scores)
        return terms

    def smooth(self, batch):
        """Asks for flat scores at real pictures with their own sentences.

        Args:
            batch: dict of tensors.

        Returns:
            {"penalty": () float32}.
        """
        pair = [batch["image"], batch["sentence"]]
        with tf.GradientTape() as tape:
            tape.watch(pair)
            scores = self.score(self.features(pair[0]), pair[1])
        slopes = self.steepness(scores, pair, tape)
        return {"penalty": penalties.matching_aware(slopes)}

    def persuade(self, batch):
        """Asks the moved discriminator, and the readers, about the fakes.

        Args:
            batch: dict of tensors, with "latent" (B, Z), the noise of the
                fakes, and "fakes" (B, H, W, 3) if they lie on the
                generator's tape; else they are drawn again.

        Returns:
            {"fool": () float32}; what readers say is added by `System`.
        """
        fakes = batch.get("fakes")
        if fakes is None:
            fakes = self.imagine(batch)["fakes"]
        scores = self.score(self.features(fakes), batch["sentence"])
        self.show(fakes, batch)
        return {"fool": self.game.fool(scores)}


class SSAGANFineTuned(SSAGAN):
    """Draws as `SSAGAN` does while its pair of readers goes on learning.

    Order of play, as in the authors' code: captions are read once, and those
    words and sentences, held still, are what the rest of the move goes by; the
    readers move on DAMSM's losses of the real pictures; then the discriminator
    moves twice and the generator once, as in `SSAGAN`, matched by the picture
    side that has moved. Both sides are in training all the time: words are
    dropped, and norms of the picture side that move take each batch's numbers,
    of real pictures and of fakes (with fake_to_real once more of real ones).

    Terms are those of `SSAGAN`, of which words and sentence weigh 0.1, and the
    readers' words_of_image, image_of_words, sentence_of_image and
    image_of_sentence, 1 each. A generator trained so is served with its own
    reader of captions.

    Args:
        players: {"generator", "discriminator"} as of `SSAGAN`, {"text",
            "image"} as of `DAMSM`; "image" reads pictures.
        length: float > 0. What sentences are multiplied by.
        **kwargs: as for `SSAGAN`, but for an `image_reader`.

    Batches: "image", what "text" reads ("ids" reads "caption"), "mask" (B, T)
    and, if classes are masked, "label".

    Raises:
        ValueError: if players are missing, or arguments or weights don't fit.

    Source:
        The authors' main_finetune.py (Liao et al. 2022, arXiv:2104.00567).
        Ours differs as `SSAGAN` does; each side has an Adam of its own, which
        is the same as one for both; on several replicas each picture side
        takes its own rows' numbers.
    """

    TERMS = (*KINDS["words"], *KINDS["sentence"], *SSAGAN.TERMS)

    def __init__(self, players, *, length=1.0, **kwargs):
        wanted = {"discriminator", "generator", "image", "text"}
        if set(players) != wanted:
            raise ValueError(
                f"players are {sorted(players)}; fine-tuned, they are "
                f"{sorted(wanted)}."
            )
        if length <= 0.0:
            raise ValueError(f"length is {length}; allowed: above 0.")
        self.length = length
        super().__init__(players, image_reader=self.look, **kwargs)

    def default_weights(self):
        """Weighs the terms as the paper's code does."""
        readers = (*KINDS["words"], *KINDS["sentence"])
        usual = super().default_weights() | dict.fromkeys(readers, 1.0)
        return usual | dict(words=0.1, sentence=0.1)

    def train_step(self, batch):
        """Plays one move: the readers' step, then `SSAGAN`'s."""
        with tf.GradientTape() as tape:
            told = self.each(self.read, batch)
        learners = [
            name
            for name in ("text", "image")
            if self.players[name].trainable_variables
        ]
        if not any(map(self.is_used, (*KINDS["words"], *KINDS["sentence"]))):
            learners = []  # They stand still, in training all the same.
        if learners and self.micro_batches == 1:
            self.descend(tuple(learners), self.match, told, tape)
        elif learners:
            self.descend(tuple(learners), self.match_anew, batch)
        return super().train_step(self.still(told))

    def read(self, batch):
        """Reads a branch's captions.

        Args:
            batch: dict of tensors.

        Returns:
            {"words": (B, T, C), "sentence": (B, C)}.

        Raises:
            tf.errors.InvalidArgumentError: if a caption has no words.
        """
        with tf.control_dependencies(checks.worded(batch["mask"])):
            batch = batch | {"mask": tf.identity(batch["mask"])}
        text = self.players["text"]
        masks = self.masks(text, tf.shape(batch["mask"])[0], "words")
        told = self.run(text, damsm.inputs(text, batch, "") | masks)
        sentence = self.length * told["sentence"]
        return {"words": told["words"], "sentence": sentence}

    def match(self, batch):
        """Compares the captions that were read with the real pictures.

        Args:
            batch: dict of tensors, with "words" and "sentence".

        Returns:
            dict of () float32: the readers' terms that are used.
        """
        seen = self.look(batch["image"])
        return self.contrasts.matcher.weighed(batch | seen, self.is_used)

    def match_anew(self, batch):
        """Reads the captions, with the same draws, and compares them.

        Args:
            batch: dict of tensors.

        Returns:
            As `match`.
        """
        return self.match(batch | self.read(batch))

    def look(self, pictures):
        """Looks at pictures with the picture side, which learns.

        Args:
            pictures: (B, H, W, 3) float32 in [-1, 1].

        Returns:
            {"regions": (B, h, w, C), "code": (B, C)}.
        """
        return self.run(self.players["image"], {"image": pictures})
