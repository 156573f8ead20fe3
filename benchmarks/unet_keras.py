"""The tutorial's network in Keras on TensorFlow, timed by unet_speed.py: python unet_keras.py POLICY THREADS BATCH SIZE."""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

WIDTHS, DEPTH, EMBEDDING = (32, 64, 96, 128), 2, 32


def embed(variance):
    angles = float(2 * np.pi) * ops.exp(ops.linspace(0.0, float(np.log(1000.0)), EMBEDDING // 2, dtype="float32")) * variance
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=3)


def residual(x, width):
    skip = x if x.shape[3] == width else layers.Conv2D(width, 1)(x)
    h = layers.BatchNormalization(center=False, scale=False)(x)
    h = layers.Conv2D(width, 3, padding="same", activation="swish")(h)
    return layers.Add()([skip, layers.Conv2D(width, 3, padding="same")(h)])


def network(size):
    image, variance = keras.Input((size, size, 3)), keras.Input((1, 1, 1))
    level = layers.UpSampling2D(size, interpolation="nearest")(
        layers.Lambda(embed, output_shape=(1, 1, EMBEDDING), dtype="float32")(variance)
    )
    x = layers.Concatenate()([layers.Conv2D(WIDTHS[0], 1)(image), level])
    skips = []
    for width in WIDTHS[:-1]:
        for _ in range(DEPTH):
            x = residual(x, width)
            skips.append(x)
        x = layers.AveragePooling2D(2)(x)
    for _ in range(DEPTH):
        x = residual(x, WIDTHS[-1])
    for width in reversed(WIDTHS[:-1]):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        for _ in range(DEPTH):
            x = residual(layers.Concatenate()([x, skips.pop()]), width)
    return keras.Model([image, variance], layers.Conv2D(3, 1, kernel_initializer="zeros", dtype="float32")(x))


def main() -> None:
    policy, (threads, batch, size) = sys.argv[1], map(int, sys.argv[2:])
    keras.mixed_precision.set_global_policy(policy)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = network(size)
    assert model.count_params() - sum(np.prod(w.shape) for w in model.non_trainable_weights) == 1_950_627
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=1e-4)
    optimizer.build(model.trainable_variables)
    x, variance = tf.random.normal((batch, size, size, 3)), tf.random.uniform((batch, 1, 1, 1))

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.abs(model([x, variance], training=True) - x))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True))
        return loss

    @tf.function
    def predict():
        return model([x, variance], training=False)

    for line in sys.stdin:
        work = {"train": train, "predict": predict}[line.strip()]
        start = time.perf_counter()
        work().numpy()
        print(time.perf_counter() - start, flush=True)


main()
