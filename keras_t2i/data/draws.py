"""Draws orders and numbers that depend on seed and move alone."""

import dataclasses

import tensorflow as tf

from keras_t2i.ops import noise

_FOREVER = 1 << 62  # epochs


@dataclasses.dataclass(frozen=True)
class Draws:
    """Draws for all rows of a batch and gives those of one part of it.

    Attributes:
        seed: the stream's.
        batch_size: B, over all parts.
        first_row: where this part begins.
        last_row: where it ends.
    """

    seed: int
    batch_size: int
    first_row: int
    last_row: int

    @property
    def rows(self) -> int:
        """How many rows this part has: b."""
        return self.last_row - self.first_row

    def key(self, move, salt: str):
        """Makes the key of one draw.

        Args:
            move: () integer.
            salt: what the draw is for.

        Returns:
            (2,) int64.
        """
        return noise.key(self.seed, move, f"data {salt}")

    def mine(self, rows):
        """Takes this part's rows.

        Args:
            rows: (B, ...) tensor.

        Returns:
            (b, ...) tensor.
        """
        return rows[self.first_row : self.last_row]

    def integers(self, move, salt: str, high, columns: int | None = None):
        """Draws evenly from 0 ... high - 1.

        Args:
            move: () integer.
            salt: what the draw is for.
            high: integer, python's or a tensor.
            columns: draws a row; None for one without an axis.

        Returns:
            (b,) or (b, columns) int64.
        """
        high = tf.cast(high, tf.int64)
        key, shape = self.key(move, salt), self._shape(columns)
        return self.mine(noise.uniform(key, shape, 0, high, tf.int64))

    def shares(self, move, salt: str, columns: int | None = None):
        """Draws evenly from [0, 1), for bounds that differ from row to row.

        Args:
            move: () integer.
            salt: what the draw is for.
            columns: draws a row; None for one without an axis.

        Returns:
            (b,) or (b, columns) float64.
        """
        key, shape = self.key(move, salt), self._shape(columns)
        return self.mine(noise.uniform(key, shape, dtype=tf.float64))

    def long_shares(self, move, salt: str, columns):
        """Draws rows of which each begins alike, however long they are.

        Args:
            move: () integer.
            salt: what the draw is for.
            columns: () integer tensor, draws a row.

        Returns:
            (b, columns) float64.
        """
        # Generators fill in order: what a column holds does not depend on
        # those after it.
        shape, key = [columns, self.batch_size], self.key(move, salt)
        drawn = noise.uniform(key, shape, dtype=tf.float64)
        return self.mine(tf.transpose(drawn))

    def _shape(self, columns):
        return (self.batch_size, *([columns] if columns else []))


def scaled(shares, high):
    """Turns shares into integers.

    Args:
        shares: float64 in [0, 1).
        high: integers of a shape that fits, 1 or more.

    Returns:
        int64 in 0 ... high - 1.
    """
    return tf.cast(shares * tf.cast(high, tf.float64), tf.int64)


def part(seed: int, batch_size: int, shard: tuple[int, int]) -> Draws:
    """Makes the draws of one part of each batch.

    Args:
        seed: the stream's.
        batch_size: B, over all parts.
        shard: (i, n): part i of n.

    Returns:
        `Draws`.

    Raises:
        ValueError: if there is no such part of even length.
    """
    index, count = shard
    if batch_size % count or not 0 <= index < count:
        raise ValueError(
            f"A batch of {batch_size} has no part {index} of {count}; "
            "parts count from 0 and are of equal length."
        )
    rows = batch_size // count
    return Draws(seed, batch_size, index * rows, (index + 1) * rows)


def order(count: int, draws: Draws, start_move: int) -> tf.data.Dataset:
    """Orders the pictures of a set anew for each epoch, for ever.

    Args:
        count: N, how many there are.
        draws: of the stream.
        start_move: with which batch it begins.

    Returns:
        Dataset of moves, () int64, and all B rows of each batch, (B,) int64.
    """
    per_epoch = count // draws.batch_size
    first_epoch, skipped = divmod(start_move, per_epoch)

    def epoch_of(epoch):
        skip = tf.where(epoch == first_epoch, skipped, 0)
        skip = tf.cast(skip, tf.int64)
        moves = tf.range(skip, per_epoch, dtype=tf.int64) + epoch * per_epoch
        rows = noise.permutation(draws.key(epoch, "order"), count)
        rows = rows[: per_epoch * draws.batch_size]
        rows = tf.reshape(rows, [per_epoch, draws.batch_size])
        return tf.data.Dataset.from_tensor_slices((moves, rows[skip:]))

    epochs = tf.data.Dataset.range(first_epoch, _FOREVER)
    return epochs.flat_map(epoch_of)
