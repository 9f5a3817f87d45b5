"""What the input of each matmul looks like on the calibration texts."""

from dataclasses import dataclass

import numpy as np

# Rows kept of each text for the search of ranges.
ROWS = 12


@dataclass
class Seen:
    """What calibration saw at the input of one matmul."""

    least: np.ndarray  # smallest value of each channel
    most: np.ndarray  # largest value of each channel
    moments: np.ndarray  # X'X / rows
    sample: np.ndarray  # some rows

    @property
    def peak(self):
        """Largest magnitude of each channel."""
        return np.maximum(np.abs(self.least), np.abs(self.most))

    @property
    def low(self):
        return self.least.min()

    @property
    def high(self):
        return self.most.max()

    def scaled(self, factor):
        """The same with each channel divided by its factor."""
        return Seen(self.least / factor, self.most / factor, self.moments / np.outer(factor, factor),
                    self.sample / factor)


class Collector:
    """Adds up what is seen, text by text."""

    def __init__(self):
        self.rows, self.count, self.moments = [], 0, 0.0
        self.least, self.most = np.inf, -np.inf
        self.chance = np.random.RandomState(1)

    def add(self, value):
        self.count += len(value)
        self.least, self.most = np.minimum(self.least, value.min(axis=0)), np.maximum(self.most, value.max(axis=0))
        self.moments = self.moments + (value.T @ value).astype(np.float64)
        if len(value) > ROWS:
            value = value[self.chance.permutation(len(value))[:ROWS]]
        self.rows.append(value.copy())

    def seen(self):
        return Seen(self.least, self.most, self.moments / self.count, np.concatenate(self.rows))


def collect(session, encoded):
    """`Seen` by matmul, from a session of a graph with taps and the token ids of the texts."""
    names = [output.name for output in session.get_outputs() if output.name.startswith("tap.")]
    collectors = {name: Collector() for name in names}
    for ids in encoded:
        whole = np.array([ids], dtype=np.int64)
        feed = {"input_ids": whole, "attention_mask": np.ones_like(whole), "token_type_ids": np.zeros_like(whole)}
        for name, value in zip(names, session.run(names, feed), strict=True):
            collectors[name].add(value[0])
    return {name.removeprefix("tap."): collector.seen() for name, collector in collectors.items()}
