"""EfficientNet-Lite0 by the names of the package efficientnet-lite-pytorch."""

from keras_t2i.weights import rules


def image(model):
    """Writes the rules of `encoders.efficientnet_lite.lite0`."""
    layer = model.get_layer
    names = {each.name for each in model.layers}
    table = [
        *rules.conv(layer("stem"), "_conv_stem"),
        *rules.batch_norm(layer("stem_norm"), "_bn0"),
        *rules.conv(layer("head"), "_conv_head"),
        *rules.batch_norm(layer("head_norm"), "_bn1"),
        *rules.dense(layer("logits"), "_fc"),
    ]
    count = sum(name.endswith("_depthwise") for name in names)
    for i in range(count):
        ours, theirs = f"block_{i}", f"_blocks.{i}"
        if f"{ours}_expand" in names:
            table += rules.conv(
                layer(f"{ours}_expand"), f"{theirs}._expand_conv"
            )
            table += rules.batch_norm(
                layer(f"{ours}_expand_norm"), f"{theirs}._bn0"
            )
        table += rules.depthwise(
            layer(f"{ours}_depthwise"), f"{theirs}._depthwise_conv"
        )
        table += rules.batch_norm(
            layer(f"{ours}_depthwise_norm"), f"{theirs}._bn1"
        )
        table += rules.conv(layer(f"{ours}_project"), f"{theirs}._project_conv")
        table += rules.batch_norm(
            layer(f"{ours}_project_norm"), f"{theirs}._bn2"
        )
    return table
