"""Writes keras3/: a functional model of Keras 3, converted by tensorflowjs, and what Keras computes with it.

    python keras3.py     # needs keras 3, tensorflow, tensorflowjs
"""

import json
import os
import pathlib
import sys
import types

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy

# The converter of Keras' files alone: the package itself asks for others that it does not need for them.
base = next(path for path in sys.path if os.path.isdir(os.path.join(path, "tensorflowjs")))
for name in ("tensorflowjs", "tensorflowjs.converters"):
    package = types.ModuleType(name)
    package.__path__ = [os.path.join(base, *name.split("."))]
    sys.modules[name] = package
from tensorflowjs.converters import keras_h5_conversion

keras.utils.set_random_seed(3)
layers = keras.layers
pixels = keras.Input((9, 9, 3), name="pixels")
x = layers.Rescaling(2.0, offset=-1.0, name="scaled")(pixels)
x = layers.ZeroPadding2D(((0, 1), (0, 1)), name="padded")(x)
x = layers.Conv2D(4, 3, strides=2, use_bias=False, name="stem")(x)
x = layers.BatchNormalization(name="norm")(x)
x = layers.Activation("hard_silu", name="hard_silu")(x)
y = layers.GlobalAveragePooling2D(keepdims=True, name="squeezed")(x)
y = layers.Conv2D(4, 1, activation="hard_sigmoid", name="excited")(y)
x = layers.Multiply(name="gated")([x, y])
x = layers.DepthwiseConv2D(3, padding="same", activation=keras.layers.ReLU(max_value=0.5), name="depthwise")(x)
y = layers.SeparableConv2D(4, 3, padding="same", activation="gelu", name="separable")(x)
x = layers.Add(name="added")([x, y])
y = layers.AveragePooling2D(2, padding="same", name="averaged")(x)
z = layers.MaxPooling2D(2, padding="same", name="largest")(x)
x = layers.Concatenate(name="joined")([y, z])
x = layers.LeakyReLU(negative_slope=0.1, name="leaky")(x)
inner = keras.Sequential(
    [keras.Input((2, 2, 8)), layers.Conv2D(3, 1, activation="selu", name="inner_conv"), layers.Dropout(0.5)], name="inner"
)
x = inner(x)
x = layers.Flatten(name="flat")(x)
x = layers.Dense(5, activation=keras.layers.LeakyReLU(negative_slope=0.3), name="features")(x)
out = layers.Dense(3, activation="softmax", name="classes")(x)
model = keras.Model(pixels, out)
random = numpy.random.default_rng(3)
model.set_weights([random.uniform(0.2, 1.5, w.shape) if "variance" in v.path else random.normal(0, 0.6, w.shape) for v, w in zip(model.weights, model.get_weights())])

folder = pathlib.Path(__file__).parent / "keras3"
keras_h5_conversion.save_keras_model(model, str(folder))
i = numpy.arange(9 * 9 * 3)
picture = ((i * i * 7 + i * 13) % 256 / 255).astype("float32").reshape(1, 9, 9, 3)
taps = ["norm", "hard_silu", "excited", "gated", "depthwise", "separable", "joined", "leaky", "features", "classes"]
values = keras.Model(pixels, [model.get_layer(name).output for name in taps]).predict(picture, verbose=0)


def ours(value):
    return value.transpose(0, 3, 1, 2) if value.ndim == 4 else value


expected = {name: [round(float(x), 6) for x in ours(value).flatten()] for name, value in zip(taps, values)}
(folder / "expected.json").write_text(json.dumps(expected) + "\n")
