#!/usr/bin/env python3
"""The models of the unit tests: BERT graphs of a few kilobytes with made-up weights, and ones that have to be refused.

    exporter/tiny.py [FOLDER]        (tests/fixtures/embedding)

Every run writes the same bytes.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from tokenizers import Tokenizer

from bert import INPUTS, build
from reference import Reference, pool

HERE = Path(__file__).resolve().parent
HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 8, 16, 2, 2, 64
LONGEST = 32
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the of and to in is it for on with as by at this that from are be was not hello world a model text vector cache edge server
query cloud data fast slow red green blue one two three rust python json error user token image night train river tree garden city
##s ##ed ##ing ##er ##ly ##tion über straße naïve 東 京 世 界 привет 🚀""".split()
TEXTS = ["", " ", "hello world", "Hello, World!", "the cache of an edge server", "errors", "Straße über naïve", "東京 世界",
         "привет 🚀", "zzz\u0000\ufffd", "fast " * 100, '{"json": [1, 2.5, null]}']


def vocabulary():
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    tails = [f"##{letter}" for letter in letters if letter.isalnum()]
    # BertNormalizer takes accents off while it makes small letters; such pieces are there to show that.
    return list(dict.fromkeys(SPECIAL + letters + tails + WORDS + ["uber", "strasse", "naive"]))


def special(name, at):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": at, "content": name, **flags, "special": True}


def tokenizer(pieces):
    """As the real one has it: a truncation and a fixed padding of its own that the server has to overrule."""
    one = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
           {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    two = [*one, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    named = {name: {"id": name, "ids": [SPECIAL.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0",
        "truncation": {"max_length": 16, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                    "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(name, at) for at, name in enumerate(SPECIAL)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": one, "pair": two, "special_tokens": named},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {piece: at for at, piece in enumerate(pieces)}},
    }


def configuration(pieces):
    return {"architectures": ["BertModel"], "hidden_act": "gelu", "hidden_size": HIDDEN, "intermediate_size": INNER,
            "layer_norm_eps": 1e-12, "max_position_embeddings": POSITIONS, "model_type": "bert",
            "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "pad_token_id": 0,
            "position_embedding_type": "absolute", "type_vocab_size": 2, "vocab_size": pieces}


def weights(pieces):
    """Made-up tensors under BERT's names. RandomState keeps its numbers over all versions of numpy."""
    chance, found = np.random.RandomState(7), {}

    def fill(name, *shape, around=0.0):
        found[name] = (around + 0.4 * chance.standard_normal(shape)).astype(np.float32)

    def both(name, *shape, around=0.0):
        fill(f"{name}.weight", *shape, around=around)
        fill(f"{name}.bias", shape[0])

    for kind, rows in (("word", pieces), ("position", POSITIONS), ("token_type", 2)):
        fill(f"embeddings.{kind}_embeddings.weight", rows, HIDDEN)
    both("embeddings.LayerNorm", HIDDEN, around=1.0)
    for at in (f"encoder.layer.{layer}" for layer in range(LAYERS)):
        for part in ("query", "key", "value"):
            both(f"{at}.attention.self.{part}", HIDDEN, HIDDEN)
        both(f"{at}.attention.output.dense", HIDDEN, HIDDEN)
        both(f"{at}.intermediate.dense", INNER, HIDDEN)
        both(f"{at}.output.dense", HIDDEN, INNER)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            both(f"{at}.{name}", HIDDEN, around=1.0)
    return found


def document(value):
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def pooling(mode):
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return {"word_embedding_dimension": HIDDEN, **{f"pooling_mode_{name}": name == mode for name in modes}}


def modules():
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return [{"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (path, kind) in enumerate(kinds)]


def files(graph, config, pieces, mode="mean_tokens"):
    """The files of a model, by name."""
    return {
        "model.onnx": graph,
        "tokenizer.json": document(tokenizer(pieces)),
        "config.json": document(config),
        "sentence_bert_config.json": document({"max_seq_length": LONGEST, "do_lower_case": False}),
        "modules.json": document(modules()),
        "1_Pooling/config.json": document(pooling(mode)),
    }


def demanding(model):
    """The same graph with an input that no server knows."""
    shape = ["batch", "sequence"]
    model.graph.input.append(helper.make_tensor_value_info("task_id", TensorProto.INT64, shape))
    model.graph.node.insert(0, helper.make_node("Abs", ["task_id"], ["task"], name="task"))
    model.graph.output.append(helper.make_tensor_value_info("task", TensorProto.INT64, shape))
    return model


def behind(model, *nodes):
    """The same graph with nodes between what it gave, then named `before`, and what it gives."""
    given = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before" if name == given else name for name in node.output]
    model.graph.node.extend(nodes)
    model.graph.node.append(helper.make_node("Identity", ["after"], [given], name="given"))
    return model


def number(name, value):
    return helper.make_tensor(name, TensorProto.INT64, [1], [value])


def endless(model):
    """A loop that has no end."""
    inner = [helper.make_tensor_value_info("round", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
             helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)]
    outer = [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("kept", TensorProto.FLOAT, None)]
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["inner"], ["kept"])],
                             "body", inner, outer)
    model.graph.initializer.append(helper.make_tensor("always", TensorProto.BOOL, [], [True]))
    return behind(model, helper.make_node("Loop", ["", "always", "before"], ["after"], body=body, name="loop"))


def greedy(model):
    """A tensor of 1 GiB for each token."""
    model.graph.initializer.extend([number("one", 1), number("two", 2), number("gib", 1 << 28)])
    return behind(
        model,
        helper.make_node("Shape", ["input_ids"], ["shape"], name="shape"),
        helper.make_node("Slice", ["shape", "one", "two"], ["tokens"], name="tokens"),
        helper.make_node("Mul", ["tokens", "gib"], ["size"], name="size"),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"], name="zeros"),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0, name="zero"),
        helper.make_node("Add", ["before", "zero"], ["after"], name="after"),
    )


def expected(folder, config, tensors):
    """The vectors of some texts by the reference, for a model that is in its folder."""
    reader = Tokenizer.from_file(str(folder / "tokenizer.json"))
    reader.no_padding()
    reader.enable_truncation(LONGEST)
    reference = Reference(config, tensors)
    for text in TEXTS:
        ids = reader.encode(text).ids
        vector = pool(reference.states(ids), folder)
        yield {"text": text, "ids": ids, "vector": [round(float(number), 7) for number in vector]}


def write(folder, content):
    for name, raw in content.items():
        goal = folder / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(raw)


def main(goal):
    pieces = vocabulary()
    config, tensors = configuration(len(pieces)), weights(len(pieces))

    def graph(inputs=INPUTS):
        return build(config, tensors, inputs=inputs)

    plain = graph().SerializeToString(deterministic=True)
    without = {name: tuple(known for known in INPUTS if known != name) for name in INPUTS}
    whole = {
        "tiny": files(plain, config, pieces),
        "tiny-cls": files(plain, config, pieces, "cls_token"),
        "tiny-last-token": files(plain, config, pieces, "lasttoken"),
        "tiny-no-token-types": files(graph(without["token_type_ids"]).SerializeToString(deterministic=True), config, pieces),
    }
    refused = {
        "tiny-wrong-dimension": files(plain, {**config, "hidden_size": HIDDEN + 4}, pieces),
        "tiny-missing-input": files(graph(without["attention_mask"]).SerializeToString(deterministic=True), config, pieces),
        "tiny-extra-input": files(demanding(graph()).SerializeToString(deterministic=True), config, pieces),
        "tiny-endless": files(endless(graph()).SerializeToString(deterministic=True), config, pieces),
        "tiny-greedy": files(greedy(graph()).SerializeToString(deterministic=True), config, pieces),
        "tiny-vocab-mismatch": files(plain, config, [*pieces, *(f"more{at}" for at in range(20))]),
        "tiny-corrupt": files(plain[: len(plain) * 2 // 3], config, pieces),
    }
    for name, content in {**whole, **refused}.items():
        write(goal / name, content)
    for name in whole:
        vectors = list(expected(goal / name, config, tensors))
        write(goal / name, {"expected.json": document({"made_by": "exporter/tiny.py", "texts": vectors})})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "tests/fixtures/embedding")
