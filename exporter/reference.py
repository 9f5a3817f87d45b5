"""The reference: a BERT encoder in float64 with numpy alone, one text at a time, and the pooling of sentence-transformers.

It shares no line with the exporter's graph, so that a mistake in one shows against the other.
"""

import json
from math import erf
from pathlib import Path

import numpy as np

from bert import read_safetensors


def pool(states, folder):
    """A text's vector from its tokens' states (tokens x hidden), one unit long."""
    config = json.loads(Path(folder, "1_Pooling/config.json").read_text())
    if config.get("pooling_mode_cls_token"):
        vector = states[0]
    elif config.get("pooling_mode_lasttoken"):
        vector = states[-1]
    else:
        vector = states.mean(axis=0)
    return vector / max(np.linalg.norm(vector), 1e-12)


class Reference:
    """A model as its authors wrote it down."""

    def __init__(self, config, tensors):
        self.config = config
        self.tensors = {name: value.astype(np.float64) for name, value in tensors.items()}
        self.erf = np.vectorize(erf, otypes=[np.float64])

    @classmethod
    def open(cls, folder):
        config = json.loads(Path(folder, "config.json").read_text())
        return cls(config, read_safetensors(Path(folder, "model.safetensors")))

    def norm(self, rows, name):
        centred = rows - rows.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / spread * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def dense(self, rows, name):
        return rows @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def attend(self, rows, at):
        count = self.config["num_attention_heads"]
        size = rows.shape[1] // count
        query, key, value = (self.dense(rows, f"{at}.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for head in range(count):
            own = slice(head * size, (head + 1) * size)
            scores = query[:, own] @ key[:, own].T / np.sqrt(size)
            shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
            heads.append(shares / shares.sum(axis=-1, keepdims=True) @ value[:, own])
        return self.dense(np.concatenate(heads, axis=1), f"{at}.output.dense")

    def states(self, ids):
        """The last states of the tokens (tokens x hidden)."""
        tables = [self.tensors[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
        rows = tables[0][ids] + tables[1][: len(ids)] + tables[2][0]
        rows = self.norm(rows, "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            at = f"encoder.layer.{layer}"
            attended = self.attend(rows, f"{at}.attention")
            rows = self.norm(attended + rows, f"{at}.attention.output.LayerNorm")
            inner = self.dense(rows, f"{at}.intermediate.dense")
            inner = inner * 0.5 * (1 + self.erf(inner / np.sqrt(2)))
            rows = self.norm(self.dense(inner, f"{at}.output.dense") + rows, f"{at}.output.LayerNorm")
        return rows
