"""Teaches a captioner to say what real pictures show."""

from keras_t2i.losses import captioning
from keras_t2i.ops import replicas
from keras_t2i.systems.system import System


class Captioning(System):
    """Learns the words of real pictures' captions, each from those before.

    Terms are captioning, the mean over all words of the batch and the ends of
    its captions.

    Args:
        players: {"captioner"}: `keras.Model` that answers {"scores": (B, T,
            V)}, such as `encoders.captioner.decoder` or `over` makes. Its
            inputs' names are the batch's keys; "ids" reads "caption".
        **kwargs: as for `System`.

    Batches: what the player reads: "caption" (B, T) int32, 0 after the last
    word, and "image", or "pooled" and perhaps "regions".

    Raises:
        ValueError: if players are others, or captioning weighs 0.

    Source:
        Qiao et al. 2019, section 3.3, arXiv:1903.05854, whose STREAM is
        trained so before the generator. Ours differs: a caption's end is a
        word to be told, so that `encoders.captioner.Captioner.describe` ends.
    """

    TERMS = ("captioning",)

    def __init__(self, players, **kwargs):
        if set(players) != {"captioner"}:
            raise ValueError(
                f"players are {sorted(players)}; allowed: captioner."
            )
        super().__init__(players, **kwargs)
        if not self.is_used("captioning"):
            raise ValueError(
                "captioning weighs 0, and the captioner learns by nothing else."
            )

    def train_step(self, batch):
        """Plays one move: the captioner takes a step."""
        self.descend("captioner", self.tell, batch)
        return self.finish()

    def tell(self, batch):
        """Says the words of the batch's captions.

        Args:
            batch: dict of tensors.

        Returns:
            {"captioning": () float32}.
        """
        player = self.players["captioner"]
        inputs = {
            name: batch["caption" if name == "ids" else name]
            for name in player.input
        }
        scores = self.run(player, inputs)["scores"]
        loss = captioning.cross_entropy(scores, batch["caption"], has_end=True)
        return {"captioning": replicas.ratio(*loss)}
