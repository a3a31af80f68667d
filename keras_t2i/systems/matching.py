"""Matches the captions of a batch with its pictures, for all who learn so."""

import functools

import tensorflow as tf

from keras_t2i.losses import matching
from keras_t2i.ops import replicas

#: By what captions are matched -> the losses, rows and columns of its scores.
KINDS = {
    "words": ("words_of_image", "image_of_words"),
    "sentence": ("sentence_of_image", "image_of_sentence"),
}


class Matcher:
    """Compares each caption of the whole batch with each of its pictures.

    Args:
        gammas: three floats > 0. Sharpness of a word's attention to regions,
            of the sum over words, and of the comparison with others.
        masks_classes: bool. Whether pairs of one class are no negatives.
        negatives: "global" takes them from all replicas' rows, with gradient,
            so that replicas together do what one with the whole batch does;
            "local" from the replica's own.
        compute: callable (function, *inputs) that calls it, compiled or not.

    Raises:
        ValueError: if an argument is out of range.

    Source:
        Xu et al. 2018, section 3.2, arXiv:1711.10485; see `losses.matching`.
    """

    def __init__(self, gammas, masks_classes, negatives, compute):
        if negatives not in ("global", "local"):
            raise ValueError(
                f"negatives is {negatives!r}; allowed are 'global' and 'local'."
            )
        if len(gammas) != 3 or min(gammas) <= 0.0:
            raise ValueError(
                f"gammas are {tuple(gammas)}; allowed: three numbers above 0."
            )
        self.gammas = tuple(gammas)
        self.masks_classes = masks_classes
        self.negatives = negatives
        self._compute = compute
        self._score_words = functools.partial(
            matching.word_scores, gammas=self.gammas
        )

    def losses(self, read, kinds=tuple(KINDS)):
        """Matches captions and pictures of a branch.

        Args:
            read: dict: "words" (B, T, C), "mask" (B, T), "sentence" (B, C),
                "regions" (B, h, w, C), "code" (B, C) and, if classes are
                masked, "label" (B,).
            kinds: iterable of the keys of `KINDS`.

        Returns:
            dict of () float32, the losses of these kinds.

        Raises:
            ValueError: if classes are to be masked and there are no labels.
        """
        labels = None
        if self.masks_classes:
            if "label" not in read:
                raise ValueError(
                    "masks_classes leaves out pairs of one class, and the "
                    "batch has no label."
                )
            (labels,) = self.gathered(read["label"])
        found = {}
        for kind in kinds:
            scores = self.scores(kind, read)
            # Each replica compared its captions with everybody's pictures.
            (columns,) = self.gathered(tf.transpose(scores))
            both = matching.matching_losses(tf.transpose(columns), labels)
            found |= dict(zip(KINDS[kind], both, strict=True))
        return found

    def weighed(self, read, is_used):
        """Matches captions and pictures of a branch, as far as it counts.

        Args:
            read: dict, as for `losses`.
            is_used: callable, a loss's name -> whether it counts.

        Returns:
            dict of () float32, the losses that count.
        """
        kinds = [k for k, terms in KINDS.items() if any(map(is_used, terms))]
        found = self.losses(read, kinds)
        return {term: value for term, value in found.items() if is_used(term)}

    def scores(self, kind, read):
        """Scores a replica's captions.

        Args:
            kind: a key of `KINDS`.
            read: dict, as for `losses`.

        Returns:
            (R * B, B) float32: everybody's pictures, the replica's captions.
        """
        if kind == "sentence":
            (codes,) = self.gathered(read["code"])
            sentences = read["sentence"]
            return matching.sentence_scores(codes, sentences, self.gammas[2])
        (regions,) = self.gathered(read["regions"])
        inputs = regions, read["words"], read["mask"]
        return self._compute(self._score_words, *inputs)

    def gathered(self, *tensors):
        """Joins the rows that negatives come from.

        Args:
            *tensors: (B, ...) each, this replica's rows.

        Returns:
            List of (R * B, ...) tensors; as they came for "local" negatives.
        """
        if self.negatives == "local":
            return list(tensors)
        return [replicas.gather(tensor) for tensor in tensors]
