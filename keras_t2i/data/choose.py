"""Chooses what belongs together: captions, wrong pictures and partners."""

import numpy as np
import tensorflow as tf

from keras_t2i.data import draws as drawing
from keras_t2i.data import source


def others(
    pictures: source.Pictures, mismatch: str | None, other_label: bool
) -> "Others | None":
    """Prepares the choice of wrong pictures or texts.

    Args:
        pictures: the set.
        mismatch: None, "text" or "image".
        other_label: take them from another class only; a picture without a
            class (-1) is a class of its own.

    Returns:
        `Others`, or None if none are asked for.

    Raises:
        ValueError: if the set has no others, or `other_label` has nothing to
            choose.
    """
    if mismatch not in (None, "text", "image"):
        raise ValueError(
            f"mismatch is {mismatch!r}; allowed are None, 'text' and 'image'."
        )
    if mismatch is None:
        if other_label:
            raise ValueError(
                "other_label chooses among mismatches, but mismatch is None; "
                "give mismatch='text' or 'image', or leave other_label out."
            )
        return None
    if len(pictures) < 2:
        raise ValueError("A mismatch needs two pictures; the set has one.")
    if other_label:
        labels = np.unique(pictures.labels)
        if len(labels) < 2:
            raise ValueError(
                "other_label needs two classes; all labels of set "
                f"{pictures.name!r} are {labels[0]}."
            )
    return Others(pictures.labels, other_label)


def partners(pictures: source.Pictures, rule: str | None):
    """Prepares the choice of partners.

    Args:
        pictures: the set.
        rule: None, "label" or "labels".

    Returns:
        `Partners`, `SetPartners`, or None if none are asked for.

    Raises:
        ValueError: if the set has no classes of that kind.
    """
    if rule not in (None, "label", "labels"):
        raise ValueError(
            f"partners is {rule!r}; allowed are None, 'label' and 'labels'."
        )
    if rule is None:
        return None
    if rule == "label":
        if pictures.labels.max() < 0:
            raise ValueError(
                f"No picture of set {pictures.name!r} has a class; partners "
                "need one."
            )
        return Partners(pictures.labels)
    sets = pictures.label_sets
    if sets is None or not len(sets.values):
        raise ValueError(
            f"Pictures of set {pictures.name!r} have one class at most, no "
            "sets of them; use partners='label'."
        )
    return SetPartners(sets, len(pictures.class_names))


class Others:
    """Draws another picture for each, evenly among those allowed.

    Args:
        labels: (N,) classes; those below 0 are nobody's class.
        other_label: allow pictures of another class only.
    """

    def __init__(self, labels: np.ndarray, other_label: bool):
        self._count = len(labels)
        self._by_label = None
        if other_label:
            labels = _alone(labels)
            order = np.argsort(labels, kind="stable")
            _, first, size = np.unique(
                labels[order], return_index=True, return_counts=True
            )
            number = np.unique(labels, return_inverse=True)[1]
            self._by_label = tf.constant(order, tf.int64)
            self._end = tf.constant((first + size)[number], tf.int64)
            self._size = tf.constant(size[number], tf.int64)

    def __call__(self, draws, move, rows):
        count = self._count
        if self._by_label is None:
            step = draws.integers(move, "others", count - 1)
            return (rows + 1 + step) % count
        # In the order of labels, all that follow a class around the circle
        # until it comes again; how many they are differs from row to row.
        allowed = count - tf.gather(self._size, rows)
        step = drawing.scaled(draws.shares(move, "others"), allowed)
        place = tf.gather(self._end, rows) + step
        return tf.gather(self._by_label, place % count)


class Partners:
    """Draws another picture of the same class for each, evenly.

    Who is alone in its class is its own partner.

    Args:
        labels: (N,) classes; those below 0 are nobody's class.
    """

    def __init__(self, labels: np.ndarray):
        self._circle = _Circle(np.arange(len(labels)), _alone(labels))

    def __call__(self, draws, move, rows):
        """Gives (b,) partners, and None for the classes they share."""
        return self._circle.next(rows, draws.shares(move, "partners")), None


class SetPartners:
    """Draws one of a picture's classes, then another picture that has it.

    Who has no class, or is alone in the one drawn, is its own partner.

    Args:
        sets: classes of each picture.
        classes: how many classes there are.
    """

    def __init__(self, sets: source.LabelSets, classes: int):
        self._table = LabelTable(sets, classes)
        rows, values = self._table.pairs
        self._circle = _Circle(rows, values)

    def __call__(self, draws, move, rows):
        """Gives (b,) partners and (b,) int32 shared classes, -1 for none."""
        starts, counts = self._table.spans(rows)
        share = draws.shares(move, "partners' class")
        entries = starts + drawing.scaled(share, counts)
        entries = tf.minimum(entries, self._circle.count - 1)
        found = self._circle.next(entries, draws.shares(move, "partners"))
        label = tf.gather(self._table.values, entries)
        none = counts == 0
        return tf.where(none, rows, found), tf.where(none, -1, label)


class Captions:
    """Draws captions of pictures, evenly among those that are their own.

    Args:
        pictures: the set.
        draws: of the stream.
        columns: captions drawn for each picture, with replacement: k.
    """

    def __init__(
        self, pictures: source.Pictures, draws: drawing.Draws, columns: int
    ):
        self._draws, self._columns = draws, columns
        self._most, self._own = pictures.captions.shape[1], None
        if pictures.repeats:
            self._own = tf.constant(pictures.own, tf.int64)

    def __call__(self, move, salt: str, rows, other_than=None):
        """Draws.

        Args:
            move: () integer.
            salt: what the draw is for.
            rows: (b,) int64, the pictures.
            other_than: (b, k) int64, captions that these are to differ from,
                each from one; who has one caption gives it again.

        Returns:
            (b, k) int64.
        """
        least = 0 if other_than is None else 1
        first = 0 if other_than is None else other_than + 1
        if self._own is None:
            count = self._most
            high = max(count - least, 1)
            step = self._draws.integers(move, salt, high, self._columns)
        else:
            count = tf.gather(self._own, rows)[:, None]
            shares = self._draws.shares(move, salt, self._columns)
            step = drawing.scaled(shares, tf.maximum(count - least, 1))
        return (first + step) % count


class LabelTable:
    """Knows all classes of all pictures.

    Args:
        sets: classes of each picture; one named twice counts once.
        classes: how many classes have a name; L is more if more are used.
    """

    def __init__(self, sets: source.LabelSets, classes: int):
        classes = max(classes, int(sets.values.max(initial=-1)) + 1)
        counts = np.diff(sets.ends, prepend=0)
        rows = np.repeat(np.arange(len(sets)), counts)
        pairs = np.unique(rows * classes + sets.values)
        rows, values = np.divmod(pairs, classes)
        self.pairs = rows, values
        self.values = tf.constant(values, tf.int32)
        self._classes = classes
        self._ends = tf.constant(
            np.cumsum(np.bincount(rows, minlength=len(sets))), tf.int64
        )

    def spans(self, rows):
        """Finds where the classes of pictures stand in `values`.

        Args:
            rows: (b,) int64.

        Returns:
            starts and counts, (b,) int64 each.
        """
        before = tf.gather(self._ends, tf.maximum(rows - 1, 0))
        starts = tf.where(rows > 0, before, 0)
        return starts, tf.gather(self._ends, rows) - starts

    def hot(self, rows):
        """Marks the classes of pictures.

        Args:
            rows: (b,) int64.

        Returns:
            (b, L) float32, 1 at each class of the picture, 0 elsewhere.
        """
        starts, counts = self.spans(rows)
        entries = tf.ragged.range(starts, starts + counts)
        values = tf.gather(self.values, entries.values)
        places = tf.stack(
            [entries.value_rowids(), tf.cast(values, tf.int64)], axis=1
        )
        ones = tf.ones(tf.shape(values), tf.float32)
        shape = (rows.shape[0], self._classes)
        return tf.ensure_shape(tf.scatter_nd(places, ones, shape), shape)


def _alone(labels):
    """Gives each picture without a class one of its own."""
    return np.where(labels < 0, -1 - np.arange(len(labels)), labels)


class _Circle:
    """Puts those of one class in a circle, to step from one to another.

    `rows` are pictures, `classes` what each entry's class is; all integers.
    """

    def __init__(self, rows, classes):
        order = np.argsort(classes, kind="stable")
        _, first, number, size = np.unique(
            classes[order],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order))
        self.count = len(order)
        self._rows = tf.constant(rows[order], tf.int32)
        self._place = tf.constant(place, tf.int32)
        # By place, so that a class is written as often as it has entries.
        self._first = tf.constant(first[number], tf.int32)
        self._size = tf.constant(size[number], tf.int32)

    def next(self, entries, shares):
        """Gives the picture of another entry of the same class, drawn evenly;
        of the same entry where its class has no other."""
        place = tf.gather(self._place, entries)
        first = tf.gather(self._first, place)
        size = tf.gather(self._size, place)
        step = tf.cast(drawing.scaled(shares, size - 1), tf.int32)
        other = first + (place - first + 1 + step) % size
        return tf.cast(tf.gather(self._rows, other), tf.int64)
