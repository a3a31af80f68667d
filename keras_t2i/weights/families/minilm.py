"""MiniLM and other BERTs by Hugging Face's names."""

from keras_t2i.weights import rules


def text(model):
    """Writes the rules of `encoders.bert.encoder`."""
    layer = model.get_layer
    table = [
        *rules.embedding(layer("pieces"), "embeddings.word_embeddings"),
        *rules.embedding(layer("positions"), "embeddings.position_embeddings"),
        *rules.embedding(layer("types"), "embeddings.token_type_embeddings"),
        *rules.layer_norm(layer("norm"), "embeddings.LayerNorm"),
        rules.ignored(
            "embeddings.position_ids",
            "pooler.dense.weight",
            "pooler.dense.bias",
        ),
    ]
    count = sum(each.name.startswith("widen_") for each in model.layers)
    for i in range(count):
        theirs = f"encoder.layer.{i}"
        table += _attention(layer(f"attention_{i}"), f"{theirs}.attention")
        table += rules.layer_norm(
            layer(f"attention_norm_{i}"), f"{theirs}.attention.output.LayerNorm"
        )
        table += rules.dense(
            layer(f"widen_{i}"), f"{theirs}.intermediate.dense"
        )
        table += rules.dense(layer(f"narrow_{i}"), f"{theirs}.output.dense")
        table += rules.layer_norm(
            layer(f"norm_{i}"), f"{theirs}.output.LayerNorm"
        )
    return table


def _attention(layer, prefix):
    return [
        *rules.heads(layer.query_dense, f"{prefix}.self.query", 1),
        *rules.heads(layer.key_dense, f"{prefix}.self.key", 1),
        *rules.heads(layer.value_dense, f"{prefix}.self.value", 1),
        *rules.heads(layer.output_dense, f"{prefix}.output.dense", 2),
    ]
