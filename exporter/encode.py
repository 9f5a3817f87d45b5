"""Texts to token ids as the server reads them, and a graph's states to vectors as it pools them."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

# Texts of one batch: at most this many tokens with the padding, as the server has it.
TOKENS = 512


def open_tokenizer(folder):
    """The folder's tokenizer, without the truncation and the padding that are baked into tokenizer.json."""
    reader = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
    reader.no_padding()
    reader.enable_truncation(json.loads(Path(folder, "sentence_bert_config.json").read_text())["max_seq_length"])
    return reader


def open_session(model, threads=1):
    """A session of a path or of a graph in memory."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def feed(session, batch):
    """The inputs of a graph for a batch of token ids, padded to the longest."""
    whole = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(whole)
    for row, ids in enumerate(batch):
        whole[row, : len(ids)], mask[row, : len(ids)] = ids, 1
    every = {"input_ids": whole, "attention_mask": mask, "token_type_ids": np.zeros_like(whole)}
    return {entry.name: every[entry.name] for entry in session.get_inputs()}


def vectors(session, batch):
    """Vectors of one unit, by the mean over the tokens of each text."""
    inputs = feed(session, batch)
    mask = inputs["attention_mask"][..., None]
    states = session.run(["last_hidden_state"], inputs)[0]
    means = (states * mask).sum(axis=1, dtype=np.float64) / mask.sum(axis=1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def alone(session, encoded):
    """One text at a time."""
    return np.concatenate([vectors(session, [ids]) for ids in encoded])


def mixed(session, encoded, size):
    """Batches in the given order, short beside long."""
    return np.concatenate([vectors(session, encoded[at : at + size]) for at in range(0, len(encoded), size)])


def sorted_by_length(session, encoded):
    """Batches of about one length, at most `TOKENS` tokens each; the vectors come in the given order. Each core has a batch of its own, so
    that the sums within one come in the same order on every machine."""
    order = sorted(range(len(encoded)), key=lambda at: len(encoded[at]))
    groups, group = [], []
    for at in order:
        if group and (len(group) + 1) * len(encoded[at]) > TOKENS:
            groups.append(group)
            group = []
        group.append(at)
    found, groups = {}, [*groups, group]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for group, rows in zip(groups, pool.map(lambda group: vectors(session, [encoded[at] for at in group]), groups), strict=True):
            found.update(zip(group, rows, strict=True))
    return np.stack([found[at] for at in range(len(encoded))])
