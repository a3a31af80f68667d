"""Where weights lie: files that are told by name, and SavedModels."""

import contextlib
import pathlib
import zipfile
import zlib

from keras_t2i.ops import files


@contextlib.contextmanager
def named(path):
    """Tells of a file whatever fails while it is read or used.

    Args:
        path: the file's.

    Yields:
        Nothing.

    Raises:
        ValueError: in place of the errors of files, formats and contents.
    """
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path} is missing.") from None
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        RuntimeError,
        RecursionError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{path} can't be used: {error}") from error


def is_hub(source) -> bool:
    """Says whether a source is a TF-Hub handle or a SavedModel's folder.

    Args:
        source: str or path.

    Returns:
        bool.
    """
    is_handle = str(source).startswith(("https://", "http://", "gs://"))
    return is_handle or (pathlib.Path(source) / "saved_model.pb").is_file()


def from_hub(source, inputs):
    """Loads a SavedModel, from TF-Hub or from a folder.

    Args:
        source: TF-Hub handle or folder.
        inputs: str. What it is to be called on, for errors.

    Returns:
        The loaded callable, and the digest of its files.

    Raises:
        ValueError: if it can't be loaded or called.
    """
    import tensorflow_hub
    import tensorflow_text  # noqa: F401  Its operations may be needed.

    try:
        folder = pathlib.Path(tensorflow_hub.resolve(str(source)))
        model = tensorflow_hub.load(str(folder))
    except Exception as error:  # Of the network, the disk or the format.
        raise ValueError(
            f"tensorflow_hub can't load {source}: {error}"
        ) from error
    if not callable(model):
        raise ValueError(f"{source} can't be called on {inputs}.")
    parts = sorted(p for p in folder.rglob("*") if p.is_file())
    names = [str(p.relative_to(folder)) for p in parts]
    return model, files.digest(names, *(p.read_bytes() for p in parts))
