"""Fetches rows of a set in the graph, wherever they lie."""

import tensorflow as tf

from keras_t2i.data import records, source
from keras_t2i.ops import record_files


class Table:
    """A set that graphs can gather from.

    Pictures in memory are tensors, those in files are read when asked for.
    Captions and keys of record files come out of the records themselves, so
    that memory does not grow with them; those that were replaced are held.

    Args:
        pictures: the set.

    Attributes:
        has_pixels: pictures are held as pixels, all of one size.

    Raises:
        ValueError: if record files have become shorter.
    """

    def __init__(self, pictures: source.Pictures):
        stored = pictures.images
        self._in_records = isinstance(stored, source.Shards)
        self.has_pixels = pictures.size is not None
        if self._in_records:
            self._records = _Records(stored)
        else:
            self._stored = tf.constant(_plain(stored))
            self._in_files = stored.dtype.kind == "U"
        self._per_picture = pictures.captions.shape[1]
        parts = {"captions": "captions", "key": "keys"}
        self._strings = {
            key: tf.constant(getattr(pictures, part).tolist())
            for key, part in parts.items()
            if not pictures.is_told(part)
        }

    def pixels(self, rows):
        """Fetches pictures held as pixels.

        Args:
            rows: (b,) int64.

        Returns:
            (b, H, W, D) uint8.
        """
        return tf.gather(self._stored, rows)

    def one(self, row) -> dict[str, tf.Tensor]:
        """Fetches one encoded picture, and the strings that lie beside it.

        Args:
            row: () int64.

        Returns:
            "image", () string; from records also "captions", (K,) string, and
            "key", () string, unless they are held.
        """
        if self._in_records:
            return self._parsed(self._records.read(row), "image")
        found = tf.gather(self._stored, row)
        return {"image": tf.io.read_file(found) if self._in_files else found}

    def strings(self, rows, known: dict | None = None):
        """Fetches captions and keys.

        Args:
            rows: (b,) int64.
            known: what is fetched already.

        Returns:
            "captions", (b, K), and "key", (b,).
        """
        known = known or {}
        found = {
            part: tf.gather(table, rows)
            for part, table in self._strings.items()
        }
        missing = {"captions", "key"} - set(found) - set(known)
        if missing:
            serialized = tf.map_fn(
                self._records.read, rows, fn_output_signature=tf.string
            )
            found |= self._parsed(serialized)
        return known | found

    def _parsed(self, serialized, *more):
        wanted = {*more, "captions", "key"} - set(self._strings)
        return records.parsed(serialized, wanted, self._per_picture)


class _Records:
    """Reads records of files."""

    def __init__(self, stored: source.Shards):
        places = stored.shard, stored.offset, stored.length
        record_files.check(stored.paths, *places)
        self._paths = tf.constant(stored.paths)
        self._places = [tf.constant(part) for part in places]

    def read(self, row):
        shard, offset, length = (tf.gather(x, row) for x in self._places)
        path = tf.gather(self._paths, shard)
        return record_files.read(path, offset, length)


def _plain(array):
    return array.tolist() if array.dtype.kind in "OU" else array
