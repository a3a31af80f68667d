"""DAMSM (Xu et al. 2018): readers of words and pictures learn to agree."""

import tensorflow as tf

from keras_t2i.losses import contrastive
from keras_t2i.systems.matching import KINDS, Matcher
from keras_t2i.systems.system import System

#: What may be added to the matching losses, and whose captions or pictures
#: make the second branch: name -> what their keys in a batch begin with.
CONTRASTS = {
    "nt_xent": "twin_",
    "supervised": "partner_",
    "unicl": "partner_",
    "cross_entropy": "partner_",
}
#: A reader's input -> its key in a batch, where they differ.
KEYS = {"ids": "caption"}


class DAMSM(System):
    """Brings captions near to their pictures, word by word and as wholes.

    All players descend at once on one sum: the four matching losses of each
    branch, and `contrast`. A branch is a batch of pictures with a caption
    each; with a contrast there are two, read by the same readers: other
    captions of the same pictures (twins), or other pictures of the same class
    with theirs (partners).

    Args:
        players: {"text", "image"}: keras.Models that answer {"words" (B, T,
            C), "sentence" (B, C)} and {"regions" (B, h, w, C), "code" (B, C)},
            such as those of `encoders.bi_lstm` and `encoders.heads`. Their
            inputs' names are the batch's keys; "ids" reads "caption". For
            "cross_entropy" also "classes": (B, C) "code" -> (B, L) "image",
            and "sentence" -> "text", both scores of classes.
        gammas: three floats. Sharpness of a word's attention to regions, of
            the sum over words, and of the comparison with others.
        contrast: None; "nt_xent" (T2I_CL: sentences of twins); "supervised"
            (SCL: pictures and sentences of partners in one loss); "unicl" or
            "cross_entropy" (its rivals). It weighs 1, the key "contrast" of
            `loss_weights`.
        temperature: float > 0. Of the contrast; cross-entropy has none.
        masks_classes: bool. Whether pairs of one class are no negatives in
            the matching losses; the papers' code does so on CUB.
        negatives: "global" takes them from all replicas' rows, with gradient,
            so that replicas together do what one with the whole batch does;
            "local" from the replica's own.
        **kwargs: as for `System`.

    Batches: what the players read, with "mask"; for `masks_classes` and the
    contrasts of partners also "label"; of the second branch the same keys
    with "twin_" or "partner_" before them. Twins share the pictures.

    Raises:
        ValueError: if an argument is unknown or out of range, or players and
            contrast don't fit.

    Source:
        Xu et al. 2018, section 3.2, arXiv:1711.10485, as their code does it
        (see `losses.matching`); Ye et al. 2021, arXiv:2107.02423 (nt_xent);
        Liu et al. 2024, arXiv:2412.03957 (supervised; its constants are not
        published, ours are those of Ye et al.); Yang et al. 2022,
        arXiv:2204.03610 (unicl). Ours differs: captions are not sorted by
        length; pictures of twins are read once, so their batch statistics
        move once; UniCL's temperature is a setting, not learned.
    """

    TERMS = (*KINDS["words"], *KINDS["sentence"], "contrast")

    def __init__(
        self,
        players,
        *,
        gammas=(4.0, 5.0, 10.0),
        contrast=None,
        temperature=0.5,
        masks_classes=False,
        negatives="global",
        **kwargs,
    ):
        _check(players, contrast, temperature)
        self.matcher = Matcher(gammas, masks_classes, negatives, self.compute)
        self.contrast = contrast
        self.temperature = temperature
        super().__init__(players, **kwargs)
        if contrast is None and self.is_used("contrast"):
            raise ValueError(
                f"contrast weighs {self.loss_weights['contrast']}, but there "
                f"is none; choose one of {', '.join(CONTRASTS)}."
            )

    def default_weights(self):
        """Weighs all terms alike; without a contrast that one is 0."""
        weights = super().default_weights()
        return weights | {"contrast": float(self.contrast is not None)}

    @property
    def second(self):
        """What the keys of the second branch begin with; None without one."""
        return CONTRASTS.get(self.contrast)

    def train_step(self, batch):
        """Plays one move: all readers take one step."""
        learners = [n for n, p in self.players.items() if p.trainable_variables]
        if not self.is_used("contrast"):  # Nobody is asked for classes.
            learners = [name for name in learners if name != "classes"]
        self.descend(tuple(learners), self.match, batch)
        return self.finish()

    def match(self, batch):
        """Compares captions and pictures of all branches.

        Args:
            batch: dict of tensors.

        Returns:
            dict of () float32, by `TERMS`; matching losses are summed over
            branches.
        """
        branches = [self.branch(batch, "")]
        if self.second:
            branches.append(self.branch(batch, self.second, branches[0]))
        found = [self.matching(read) for read in branches]
        terms = {term: sum(each[term] for each in found) for term in found[0]}
        if self.is_used("contrast"):
            terms["contrast"] = self.contrasted(*branches)
        return terms

    def branch(self, batch, prefix, first=None):
        """Reads the captions and pictures of a branch.

        Args:
            batch: dict of tensors.
            prefix: str. What its keys begin with.
            first: the first branch; twins take its pictures over.

        Returns:
            dict: "words", "mask", "sentence", "regions", "code" and, where
            somebody asks for classes, "label".
        """
        text, image = self.players["text"], self.players["image"]
        rows = tf.shape(batch[f"{prefix}mask"])[0]
        masks = self.masks(text, rows, f"{prefix}words")
        told = self.run(text, inputs(text, batch, prefix) | masks)
        if prefix == "twin_":
            shown, label = first, "label"
        else:
            shown = self.run(image, inputs(image, batch, prefix))
            label = f"{prefix}label"
        read = {
            "words": told["words"],
            "mask": batch[f"{prefix}mask"],
            "sentence": told["sentence"],
            "regions": shown["regions"],
            "code": shown["code"],
        }
        return read | ({"label": batch[label]} if label in batch else {})

    def matching(self, read):
        """Compares each caption with each picture of a branch.

        Args:
            read: dict, as `branch` gives it.

        Returns:
            dict of () float32, those of the first four of `TERMS` that are
            used.
        """
        return self.matcher.weighed(read, self.is_used)

    def contrasted(self, first, second):
        """Compares the branches with each other.

        Args:
            first: dict, as `branch` gives it.
            second: dict, the other branch's.

        Returns:
            () float32.
        """
        if self.contrast == "cross_entropy":
            return self.classified(first) + self.classified(second)
        sentences = self.matcher.gathered(first["sentence"], second["sentence"])
        if self.contrast == "nt_xent":
            return contrastive.nt_xent(*sentences, self.temperature)
        codes = self.matcher.gathered(first["code"], second["code"])
        (labels,) = self.matcher.gathered(first["label"])
        if self.contrast == "supervised":
            views = tf.stack([*codes, *sentences], axis=1)
            return contrastive.supervised(views, labels, self.temperature)
        return contrastive.unicl(
            tf.concat(codes, 0),
            tf.concat(sentences, 0),
            tf.tile(labels, [2]),
            self.temperature,
        )

    def classified(self, read):
        """Asks pictures and sentences of a branch for their class.

        Args:
            read: dict, as `branch` gives it.

        Returns:
            () float32: the sum of both mean cross-entropies. Rows without a
            label, -1, count 0.
        """
        inputs = {"code": read["code"], "sentence": read["sentence"]}
        scores = self.run(self.players["classes"], inputs)
        return sum(
            contrastive.classified(scores[kind], read["label"])
            for kind in ("image", "text")
        )


def inputs(player, batch, prefix):
    """Takes what a reader reads out of a batch.

    Args:
        player: `keras.Model`.
        batch: dict of tensors.
        prefix: str. What the keys of the branch begin with.

    Returns:
        dict of tensors, by the names of its inputs; without draws.
    """
    names = [n for n in player.input if not n.startswith("dropout_")]
    return {name: batch[prefix + KEYS.get(name, name)] for name in names}


def _check(players, contrast, temperature):
    if contrast is not None and contrast not in CONTRASTS:
        raise ValueError(
            f"contrast is {contrast!r}; known are None, {', '.join(CONTRASTS)}."
        )
    if temperature <= 0.0:
        raise ValueError(f"temperature is {temperature}; allowed: above 0.")
    wanted = {"text", "image"}
    if contrast == "cross_entropy":
        wanted.add("classes")
    if set(players) != wanted:
        raise ValueError(
            f"players are {sorted(players)}; with contrast {contrast!r} "
            f"they are {sorted(wanted)}."
        )
