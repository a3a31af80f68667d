"""Compares fakes with captions and each other, through frozen readers.

A batch has one branch, or two: beside its pictures and captions other
captions of the same pictures ("twin_" before their keys) or other pictures of
the same class with theirs ("partner_"). A system plays its own terms once a
branch; what readers say of its fakes is compared here, for all systems: with
their captions (words and sentence, DAMSM's matching; re-captioning), with the
real pictures, and between branches.
"""

import tensorflow as tf

from keras_t2i.losses import captioning, contrastive
from keras_t2i.ops import replicas
from keras_t2i.systems import checks
from keras_t2i.systems.matching import KINDS

#: Term -> what the keys of the second branch begin with; None needs no other.
BRANCHES = {
    **dict.fromkeys(KINDS),
    "fake_to_fake": "twin_",
    "fake_to_real": None,
    "supervised": "partner_",
    "unicl": "partner_",
    "cross_entropy": "partner_",
    "recaptioning": None,
}
TERMS = tuple(BRANCHES)
#: Those for which an image reader looks at fakes; a captioner does for others.
READ = tuple(term for term in TERMS if term != "recaptioning")
#: What a config may ask for as second branch -> how its keys begin.
SECONDS = {"twins": "twin_", "partners": "partner_"}
#: Terms that tell rows of a batch apart.
_COMPARED = tuple(term for term in READ if term != "cross_entropy")
#: Key of a batch -> the terms that go by it.
_NEEDS = {
    "label": ("supervised", "unicl", "cross_entropy"),
    "words": ("words",),
    "mask": ("words",),
    "sentence": ("sentence", "supervised", "unicl"),
    "caption": ("recaptioning",),
}
#: Key of a batch -> what a term goes by that needs it.
_KEYS = {
    "label": "labels",
    "words": "words",
    "mask": "words",
    "sentence": "sentences",
    "caption": "words as the captioner numbers them",
}
#: What each branch has of its own where the first has it.
_OWN = {
    "twin_": ("sentence", "words", "mask", "caption"),
    "partner_": ("image", "label", "sentence", "words", "mask", "caption"),
}


def second(weights, wanted=None):
    """Tells which second branch a batch has.

    Args:
        weights: mapping, term -> float or None; those that are not 0 count.
        wanted: "twins", "partners", or None: what the terms need.

    Returns:
        "twin_", "partner_" or None.

    Raises:
        ValueError: if terms need different ones, or another than is wanted,
            or `wanted` is another word.
    """
    if wanted is not None and wanted not in SECONDS:
        raise ValueError(
            f"branches is {wanted!r}; allowed: None, {', '.join(SECONDS)}."
        )
    needs = {}
    if wanted is not None:
        needs[SECONDS[wanted]] = f"branches is {wanted!r}"
    for term, prefix in BRANCHES.items():
        if weights.get(term) and prefix:
            told = f"{term} weighs {weights[term]:g}"
            needs.setdefault(prefix, told)
    if len(needs) > 1:
        words = {prefix: word for word, prefix in SECONDS.items()}
        told = "; ".join(f"{why} ({words[key]})" for key, why in needs.items())
        raise ValueError(
            f"A batch has one second branch, and two are asked for: {told}."
        )
    return next(iter(needs), None)


def branches(batch, prefix):
    """Parts a batch.

    Args:
        batch: dict of tensors.
        prefix: what the keys of the second branch begin with; None without.

    Returns:
        dict, "" and perhaps `prefix` -> dict of tensors by plain keys. What
        the second branch doesn't have of its own is the first's: twins share
        the pictures.

    Raises:
        ValueError: if the batch has no such branch, or that lacks captions
            or, of partners, pictures or classes.
    """
    if prefix is None:
        return {"": batch}
    first = {k: x for k, x in batch.items() if not k.startswith(prefix)}
    own = {
        key.removeprefix(prefix): value
        for key, value in batch.items()
        if key.startswith(prefix)
    }
    if not own:
        word = {prefix: word for word, prefix in SECONDS.items()}[prefix]
        raise ValueError(
            f"The system plays a second branch of {word}, and no key of the "
            f"batch begins with {prefix}: ask the pipeline for {word}."
        )
    owned = set(_OWN[prefix])
    if "image" in owned:  # Those of all sizes.
        owned |= {key for key in first if key.startswith("image_")}
    for key in sorted(owned):
        if key in first and key not in own:
            raise ValueError(
                f"The batch has {key} but no {prefix}{key}, so the second "
                "branch would go by the first's: give both."
            )
    return {"": first, prefix: first | own}


class Contrasts:
    """Keeps what branches showed and compares it.

    A term is the sum over branches where each is compared by itself (words,
    sentence, fake_to_real, cross_entropy, recaptioning), as a system's own
    terms are.

    Args:
        weights: dict, term -> float, of the system.
        image_reader: callable, (B, H, W, 3) [-1, 1] -> {"code" (B, C), ...},
            such as `encoders.pairs.ImageReader`; frozen. None where no term
            asks for it.
        class_head: `keras.Model`, as `encoders.heads.classes` makes it, or
            None.
        temperature: float > 0, of all that compare branches but
            cross-entropy.
        matcher: `matching.Matcher`, of words and sentence; None where they
            weigh 0.
        captioner: callable, ((B, H, W, 3) [-1, 1], (B, T) int32) -> (B, T, V)
            scores of each word from those before it, such as
            `encoders.captioner.Captioner`; frozen. None where recaptioning
            weighs 0.

    Raises:
        ValueError: if a term lacks its reader, or the temperature is wrong.

    Source:
        words and sentence: Xu et al. 2018, section 3.2, arXiv:1711.10485;
        fake_to_fake: Ye et al. 2021, eq. 1-3, arXiv:2107.02423, and the
        released code; fake_to_real: Ahmed et al. 2023; supervised and its
        rivals unicl and cross_entropy: Liu et al. 2024; recaptioning: Ahmed et
        al. 2023, eq. 3, as MirrorGAN's code has it: see `losses.captioning`.
        Ours differs: each
        branch has noise of its own, where T2I_CL lets one batch of noise
        meet both in different orders; twins are never the same caption
        (but of pictures that have one only), which there they are once in as
        many as a picture has captions;
        UniCL's temperature is this one, which it learns in its paper.
    """

    def __init__(
        self,
        weights,
        image_reader,
        class_head,
        temperature,
        matcher=None,
        captioner=None,
    ):
        used = [term for term in TERMS if weights.get(term)]
        read = [term for term in used if term in READ]
        if read and image_reader is None:
            raise ValueError(
                f"{read[0]} weighs {weights[read[0]]:g}, which compares what "
                "an image_reader says of fakes, and there is none."
            )
        if "recaptioning" in used and captioner is None:
            raise ValueError(
                f"recaptioning weighs {weights['recaptioning']:g}, which asks "
                "a captioner for the captions of fakes, and there is none."
            )
        if "cross_entropy" in used and class_head is None:
            raise ValueError(
                f"cross_entropy weighs {weights['cross_entropy']:g}, which "
                "asks a class_head for the classes of fakes, and there is "
                "none: take readers trained with contrast 'cross_entropy'."
            )
        if temperature <= 0.0:
            raise ValueError(f"temperature is {temperature}; allowed: above 0.")
        self.used = used
        self.image_reader = image_reader
        self.class_head = class_head
        self.temperature = temperature
        self.matcher = matcher
        self.captioner = captioner

    def view(self, fakes, batch, first=None):
        """Looks at a branch's fakes and collects what is compared.

        Args:
            fakes: (B, H, W, 3) float32 in [-1, 1].
            batch: dict of tensors, the branch's.
            first: what this gave for the first branch, or None.

        Returns:
            dict of tensors; of the first branch's rows and the own.

        Raises:
            ValueError: if the batch lacks what a term needs, or has one row
                where rows are told apart.
            tf.errors.InvalidArgumentError: the same, where a graph doesn't
                know the number of rows; for words and recaptioning, if a
                caption has none.
        """
        own = batch
        with tf.control_dependencies(self._plural(fakes)):
            fakes = tf.identity(fakes)
        if "shared_label" in batch:  # By which partners were chosen.
            batch = {**batch, "label": batch["shared_label"]}
        found, read = {}, {}
        if any(term in READ for term in self.used):
            read = self.image_reader(fakes)
            found["code"] = read["code"]
        if "fake_to_real" in self.used:
            real = batch["image"]
            is_same = first is not None and first["image"] is real
            code = first["real"] if is_same else self.image_reader(real)["code"]
            found |= {"image": real, "real": tf.stop_gradient(code)}
        for key, terms in _NEEDS.items():
            asking = [term for term in self.used if term in terms]
            if asking and key not in batch:
                raise ValueError(
                    f"{asking[0]} goes by {_KEYS[key]}, and the batch has no "
                    f"{key}."
                )
            if asking:
                found[key] = tf.stop_gradient(batch[key])
        self._check_widths(found)
        kinds = [kind for kind in KINDS if kind in self.used]
        if kinds:
            worded = checks.worded(batch["mask"]) if "words" in kinds else []
            with tf.control_dependencies(worded):
                read = {key: tf.identity(x) for key, x in read.items()}
            losses = self.matcher.losses(own | read, kinds)
            for kind in kinds:
                found[f"lost by {kind}"] = sum(losses[x] for x in KINDS[kind])
        if "recaptioning" in self.used:
            found["lost by recaptioning"] = self._captioned(
                fakes, found["caption"]
            )
        return found

    def _plural(self, fakes):
        """Asks for other rows, where rows are compared."""
        compared = [term for term in self.used if term in _COMPARED]
        matcher = self.matcher
        is_local = matcher is not None and matcher.negatives == "local"
        near = [term for term in compared if is_local and term in KINDS]
        far = [term for term in compared if term not in near]
        count = replicas.count()
        return [
            *checks.several(near, fakes),
            *checks.several(far, fakes, count),
        ]

    def _captioned(self, fakes, ids):
        with tf.control_dependencies(checks.worded(ids > 0)):
            fakes = tf.identity(fakes)
        losses = captioning.cross_entropy(self.captioner(fakes, ids), ids)
        return replicas.ratio(*losses)

    def _check_widths(self, found):
        for key in ("sentence", "words"):
            asking = [term for term in self.used if term in _NEEDS[key]]
            if not asking:
                continue
            widths = found["code"].shape[-1], found[key].shape[-1]
            if widths[0] != widths[1]:
                raise ValueError(
                    f"{asking[0]} compares pictures with {_KEYS[key]}, but "
                    f"codes have {widths[0]} numbers and {_KEYS[key]} "
                    f"{widths[1]}: let the readers' own text side read."
                )

    def terms(self, views):
        """Compares the branches.

        Args:
            views: list of what `view` gave, a branch each.

        Returns:
            dict of () float32, by those of `TERMS` that are used.
        """
        return {term: self._compared(term, views) for term in self.used}

    def _compared(self, term, views):
        if f"lost by {term}" in views[0]:
            return sum(view[f"lost by {term}"] for view in views)
        return getattr(self, f"_{term}")(views)

    def _fake_to_fake(self, views):
        codes = [replicas.gather(view["code"]) for view in views]
        return contrastive.nt_xent(*codes, self.temperature)

    def _fake_to_real(self, views):
        return sum(
            contrastive.nt_xent(
                replicas.gather(view["code"]),
                replicas.gather(view["real"]),
                self.temperature,
            )
            for view in views
        )

    def _supervised(self, views):
        codes, sentences, labels = _gathered(views)
        stacked = tf.stack([*codes, *sentences], axis=1)
        return contrastive.supervised(stacked, labels, self.temperature)

    def _unicl(self, views):
        codes, sentences, labels = _gathered(views)
        return contrastive.unicl(
            tf.concat(codes, 0),
            tf.concat(sentences, 0),
            tf.tile(labels, [len(views)]),
            self.temperature,
        )

    def _cross_entropy(self, views):
        losses = []
        for view in views:
            # Sentences may be of another width; nobody asks for theirs.
            told = {"code": view["code"], "sentence": view["code"]}
            scores = self.class_head(told, training=False)["image"]
            losses.append(contrastive.classified(scores, view["label"]))
        return sum(losses)


def _gathered(views):
    """Codes and sentences of the whole batch, and whose they are."""
    codes = [replicas.gather(view["code"]) for view in views]
    sentences = [replicas.gather(view["sentence"]) for view in views]
    return codes, sentences, replicas.gather(views[0]["label"])
