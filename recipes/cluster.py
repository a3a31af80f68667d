"""Spreads a run over replicas: one processor, several, or several machines."""

import contextlib
import json
import os
import socket
import time

import tensorflow as tf

from keras_t2i.ops import files, replicas

NAMES = ("none", "mirrored", "multi_worker")
_PATIENCE = 60  # seconds that a worker waits for the others to come
#: What TensorFlow raises when a worker is gone.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)


def strategy(name: str, count: int | None = None) -> tf.distribute.Strategy:
    """Makes the strategy that a run plays under.

    Args:
        name: "none" plays on one processor. "mirrored" plays on all graphics
            processors of this machine, or, where there are none, on parts of
            its processor, which is good for tests alone. "multi_worker" plays
            on all machines that TF_CONFIG names.
        count: with "mirrored", how many replicas; all graphics processors, or 2
            parts, when None.

    Returns:
        The strategy.

    Raises:
        ValueError: if the name is unknown, there are not so many processors,
            or TF_CONFIG is no good.
        ConnectionError: if a worker that TF_CONFIG names does not come.
    """
    if name not in NAMES:
        raise ValueError(
            f"The strategy is {name!r}; known: {', '.join(NAMES)}."
        )
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_processors(count))
    return _workers(task())


def task() -> dict:
    """Reads this worker's place in TF_CONFIG.

    Returns:
        {"index": int, "workers": list of "host:port"}.

    Raises:
        ValueError: if TF_CONFIG is missing, is no JSON, or does not name the
            workers and this one's number among them.
    """
    text = os.environ.get("TF_CONFIG")
    form = (
        'it reads {"cluster": {"worker": ["host:port", ...]}, "task": '
        '{"type": "worker", "index": 0}}'
    )
    if not text:
        raise ValueError(
            "--strategy=multi_worker needs the environment variable "
            f"TF_CONFIG; {form}."
        )
    try:
        read = json.loads(text)
        workers = read["cluster"]["worker"]
        kind, index = read["task"]["type"], read["task"]["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"TF_CONFIG is {text}; {form}.") from error
    others = sorted(set(read["cluster"]) - {"worker"})
    if others or kind != "worker":
        raise ValueError(
            f"TF_CONFIG names {', '.join(others) or kind}; every machine is a "
            f"worker here: {form}."
        )
    is_list = isinstance(workers, list) and all(map(_is_place, workers))
    if not is_list or len(set(workers)) != len(workers):
        raise ValueError(
            f"TF_CONFIG names the workers {workers}; a list of different "
            "host:port is needed."
        )
    if type(index) is not int or not 0 <= index < len(workers):
        raise ValueError(
            f"TF_CONFIG says that this is worker {index}; its list has "
            f"workers 0 to {len(workers) - 1}."
        )
    return {"index": index, "workers": workers}


def is_chief(played: tf.distribute.Strategy) -> bool:
    """Tells whether this process is the one that writes.

    Args:
        played: what `strategy` made.

    Returns:
        bool.
    """
    resolver = played.cluster_resolver
    return resolver is None or not resolver.task_id


def workers(played: tf.distribute.Strategy) -> int:
    """Counts the processes that share a run.

    Args:
        played: what `strategy` made.

    Returns:
        int > 0.
    """
    resolver = played.cluster_resolver
    if resolver is None:
        return 1
    return len(resolver.cluster_spec().as_dict().get("worker", [0]))


def devices(played: tf.distribute.Strategy) -> str:
    """Names what a run plays on.

    Args:
        played: what `strategy` made.

    Returns:
        For instance "CPU:0", "GPU:0, GPU:1" or "2 workers with GPU:0 each".
    """
    if played.num_replicas_in_sync == 1:
        graphics = tf.config.list_logical_devices("GPU")
        return "GPU:0" if graphics else "CPU:0"
    places = played.extended.worker_devices  # This worker's own.
    own = ", ".join(place.rpartition("device:")[2] for place in places)
    count = workers(played)
    return own if count == 1 else f"{count} workers with {own} each"


def batches(played, stream, start: int):
    """Hands each worker its own rows of every batch.

    Args:
        played: what `strategy` made.
        stream: callable of `start_move` and `shard` -> dataset of batches.
        start: the first move.

    Returns:
        What `fit` takes: a dataset, or a distributed one.
    """
    count = workers(played)
    if count == 1:
        return stream(start_move=start)
    local = played.num_replicas_in_sync // count

    def own(context):
        shard = context.input_pipeline_id, context.num_input_pipelines
        rows = stream(start_move=start, shard=shard)
        dealt = rows.flat_map(lambda batch: _dealt(batch, local))
        # Else replicas are readied for the end of the data: rows unknown.
        return dealt.apply(
            tf.data.experimental.assert_cardinality(
                tf.data.INFINITE_CARDINALITY
            )
        )

    return played.distribute_datasets_from_function(own)


def _dealt(batch, parts):
    """Turns a worker's batch into one batch for each of its replicas."""
    dealt = {
        key: tf.reshape(value, [parts, -1, *value.shape[1:]])
        for key, value in batch.items()
    }
    rows = {key: value.shape[0] // parts for key, value in batch.items()}
    return tf.data.Dataset.from_tensor_slices(dealt).map(
        lambda batch: {
            key: tf.ensure_shape(value, [rows[key], *value.shape[1:]])
            for key, value in batch.items()
        }
    )


def any_of(played: tf.distribute.Strategy):
    """Lets workers ask each other.

    Args:
        played: what `strategy` made.

    Returns:
        callable, bool -> bool: whether any worker says True. All of them must
        call it, equally often. None where there is one worker.
    """
    if workers(played) == 1:
        return None

    def added(said):
        here = tf.identity(said)  # What was handed in lies on no device.
        return replicas.total([here])[0]

    @tf.function
    def total(each):
        return played.run(added, args=(each,))

    def ask(said: bool) -> bool:
        each = played.experimental_distribute_values_from_function(
            lambda context: tf.constant(float(said))
        )
        found, *_ = played.experimental_local_results(total(each))
        return bool(found > 0.0)

    return ask


@contextlib.contextmanager
def telling(played: tf.distribute.Strategy):
    """Words what TensorFlow raises when another worker is gone.

    Args:
        played: what `strategy` made.

    Raises:
        ConnectionError: in place of TensorFlow's error, if this is one of
            several workers.
    """
    try:
        yield
    except tf.errors.OpError as error:
        is_lost = isinstance(error, _LOST) or "ollective" in str(error)
        if workers(played) == 1 or not is_lost:
            raise
        raise ConnectionError(
            "Another worker stopped or can't be reached any more "
            f"({files.reason(error)}). Start the same command on every machine "
            "again: the run goes on from its last checkpoint."
        ) from error


def agree(played: tf.distribute.Strategy, facts: dict) -> None:
    """Refuses to start where the workers were told different things.

    Args:
        played: what `strategy` made.
        facts: what must be the same everywhere: key -> value.

    Raises:
        ValueError: naming the first key that differs and the two values, on
            every worker.
    """
    if workers(played) == 1:
        return
    own = json.dumps(facts, sort_keys=True, default=str).encode()
    told = [json.loads(bytes(each)) for each in _gathered(played, own)]
    for number, other in enumerate(told):
        for key in sorted(set(told[0]) | set(other)):
            first, here = told[0].get(key), other.get(key)
            if first != here:
                raise ValueError(
                    f"The workers differ in {key}: worker 0 has {first}, "
                    f"worker {number} has {here}."
                )


def _gathered(played, own: bytes) -> list[bytes]:
    """Hands every worker what each of them holds, in order."""

    def joined(values):
        def given(context):
            is_first = not context.replica_id_in_sync_group % local
            return values if is_first else values[:0]

        local = played.num_replicas_in_sync // workers(played)
        each = played.experimental_distribute_values_from_function(given)
        return played.gather(each, axis=0).numpy()

    sizes = joined(tf.constant([len(own)]))
    whole = bytes(joined(tf.constant(list(own))).tolist())
    parts, start = [], 0
    for size in sizes:
        parts.append(whole[start : start + size])
        start += size
    return parts


def _is_place(place) -> bool:
    host, colon, port = str(place).rpartition(":")
    if not (isinstance(place, str) and host and colon and port.isdigit()):
        return False
    return 0 < int(port) < 2**16


def _processors(asked):
    graphics = tf.config.list_physical_devices("GPU")
    if graphics:
        count = asked or len(graphics)
        if count > len(graphics):
            raise ValueError(
                f"{count} replicas were asked for; this machine has "
                f"{len(graphics)} graphics processors."
            )
        return [f"GPU:{number}" for number in range(count)]
    count = asked or 2
    if count < 1:
        raise ValueError(f"{count} replicas were asked for; allowed: 1 and up.")
    (processor, *_) = tf.config.list_physical_devices("CPU")
    parts = tf.config.get_logical_device_configuration(processor)
    if parts is None or len(parts) < count:
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(processor, parts)
    return [f"CPU:{number}" for number in range(count)]


def _workers(place):
    count, index = len(place["workers"]), place["index"]
    missing = _await(place)
    if missing:
        raise ConnectionError(
            f"TF_CONFIG names {count} workers; {', '.join(missing)} did not "
            f"answer worker {index} within {_PATIENCE} seconds. Start the same "
            "command on every machine, and let their ports through."
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _await(place) -> list[str]:
    """Meets the other workers; TensorFlow itself would wait for hours.

    Each opens its port, calls the others and is called by them. All are
    there, then, and go on together.

    Returns:
        Those that can't be reached, or did not call.
    """
    others = dict(enumerate(place["workers"]))
    own = others.pop(place["index"])
    unreached, uncalled = set(others), set(others)
    end = time.monotonic() + _PATIENCE
    with socket.create_server(("", _port(own))) as door:
        door.settimeout(0.2)
        while (unreached or uncalled) and time.monotonic() < end:
            for number in list(unreached):
                if _calls(others[number], place["index"]):
                    unreached.discard(number)
            uncalled.discard(_caller(door))
    return [others[number] for number in sorted(unreached | uncalled)]


def _calls(worker, index) -> bool:
    host = worker.rpartition(":")[0]
    try:
        with socket.create_connection((host, _port(worker)), 1.0) as line:
            line.sendall(str(index).encode())
            return True
    except OSError:
        return False


def _caller(door) -> int | None:
    try:
        line, _ = door.accept()
        with line:
            line.settimeout(1.0)
            said = line.recv(16)
    except OSError:
        return None
    return int(said) if said.isdigit() else None


def _port(worker) -> int:
    return int(worker.rpartition(":")[2])
