"""The table of folders: backbone, modules, and what people's folders have that sentence-transformers 6 does not write by itself."""

import json
from dataclasses import dataclass, field

import backbones

LONGEST = 32


@dataclass
class Case:
    name: str
    backbone: str
    about: str
    # Made from the dimension of the backbone: the modules behind the Transformer.
    modules: object = None
    settings: dict = field(default_factory=dict)
    longest: int | None = LONGEST
    # Changes of the folder after save_pretrained, in the way older versions or other programs write it.
    changes: tuple = ()
    # The same behind the vectors, where sentence-transformers reads the folder's own spelling only with code of the hub.
    late: tuple = ()
    # The longest text that the positions allow, where sentence-transformers does not see the limit by itself.
    cap: int | None = None
    # encode() options of further lists of vectors.
    variants: tuple = ()
    # Who writes the graph (graphs.py; None: nobody), and the file's name in the folder.
    graph: str | None = "optimum"
    file: str = "onnx/model.onnx"
    edit: str | None = None
    refused: bool = False


def edit(folder, name, **changes):
    path = folder / name
    value = json.loads(path.read_text()) if path.exists() else {}
    value.update(changes)
    write(path, {key: inside for key, inside in value.items() if inside is not ...})


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


FLAGS = ("cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


def old(folder):
    """As versions before 5.4 write it: other names of the classes, a flag for each pooling, the length in sentence_bert_config.json."""
    modules = json.loads((folder / "modules.json").read_text())
    for module in modules:
        kind = module["type"].rsplit(".", 1)[1]
        module["type"] = f"sentence_transformers.models.{kind}"
        if kind == "Pooling":
            path = folder / module["path"] / "config.json"
            config = json.loads(path.read_text())
            chosen = config["pooling_mode"]
            chosen = [chosen] if isinstance(chosen, str) else chosen
            flags = {f"pooling_mode_{mode}" + ("_token" if mode == "cls" else "" if mode.endswith("tokens") or mode == "lasttoken" else "_tokens"):
                     mode in chosen for mode in FLAGS}
            write(path, {"word_embedding_dimension": config["embedding_dimension"], **flags, "include_prompt": config["include_prompt"]})
        if kind == "Normalize":
            (folder / module["path"] / "config.json").unlink(missing_ok=True)
        if kind == "Dense":
            edit(folder, f"{module['path']}/config.json", module_input_name=..., module_output_name=...)
    write(folder / "modules.json", modules)
    write(folder / "sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": False})
    config = json.loads((folder / "config_sentence_transformers.json").read_text())
    version = {"sentence_transformers": "3.0.1", "transformers": "4.41.2", "pytorch": "2.3.1"}
    kept = {key: value for key, value in config.items() if key in ("prompts", "default_prompt_name", "similarity_fn_name")}
    kept["prompts"] = {name: text for name, text in kept["prompts"].items() if text}
    write(folder / "config_sentence_transformers.json", {"__version__": version, **kept})
    edit(folder, "tokenizer_config.json", model_max_length=512)


def renamed(name):
    def change(folder):
        (folder / "sentence_bert_config.json").rename(folder / name)
    return change


def unlimited(folder):
    """No length that anything says: tokenizer_config.json as CamemBERT's, with transformers' "very large integer"."""
    (folder / "sentence_bert_config.json").unlink()
    edit(folder, "tokenizer_config.json", model_max_length=1000000000000000019884624838656)


def lowercase(folder):
    """do_lower_case as folders of today's hub have it: the setting, and a tokenizer that keeps capital letters."""
    old(folder)
    write(folder / "sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": True})


def pickled(folder):
    """The projection only as a pickle: nothing but Python may read it."""
    import torch
    from safetensors.torch import load_file

    path = folder / "2_Dense"
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()


def qwen_names(folder):
    edit(folder, "config.json", architectures=["Qwen3ForCausalLM"])


def nomic_names(folder):
    """config.json of nomic-embed-text-v1.5, whose keys are GPT-2's."""
    write(folder / "config.json", {
        "activation_function": "swiglu", "architectures": ["NomicBertModel"], "attn_pdrop": 0.0, "causal": False, "embd_pdrop": 0.0,
        "layer_norm_epsilon": 1e-12, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "model_type": "nomic_bert", "n_embd": backbones.HIDDEN,
        "n_head": backbones.HEADS, "n_inner": backbones.INNER, "n_layer": backbones.LAYERS, "n_positions": backbones.POSITIONS,
        "prenorm": False, "qkv_proj_bias": False, "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "torch_dtype": "float32",
        "type_vocab_size": 2, "use_rms_norm": False, "vocab_size": len(backbones.pieces(backbones.SPECIAL))})


def pool(mode="mean", **more):
    def modules(hidden):
        from sentence_transformers.sentence_transformer.modules import Pooling
        return [Pooling(hidden, mode, **more)]
    return modules


def with_normalize(mode="mean", **more):
    def modules(hidden):
        from sentence_transformers.base.modules import Normalize
        return [*pool(mode, **more)(hidden), Normalize()]
    return modules


def dense(size_in, size_out, activation="Tanh", **more):
    from sentence_transformers.base.modules import Dense
    from torch import nn
    return backbones.fill(Dense(size_in, size_out, activation_function=getattr(nn, activation)(), **more))


def projected(mode, size, *, activation="Tanh", normalize="after", **more):
    def modules(hidden):
        from sentence_transformers.base.modules import Normalize
        last = dense(hidden, size, activation, **more)
        before = [Normalize()] if normalize == "before" else []
        after = [Normalize()] if normalize == "after" else []
        return [*pool(mode)(hidden), *before, last, *after]
    return modules


def layer_norm(hidden):
    from sentence_transformers.sentence_transformer.modules import LayerNorm
    return [*pool()(hidden), backbones.fill(LayerNorm(hidden))]


def dropout(hidden):
    from sentence_transformers.sentence_transformer.modules import Dropout
    return [*pool()(hidden), Dropout(0.1)]


def gemma(hidden):
    """EmbeddingGemma's way: two projections without bias, the outer ones under their numbers."""
    from sentence_transformers.base.modules import Normalize
    return [*pool()(hidden), dense(hidden, 24, "Identity", bias=False), dense(24, hidden, "Identity", bias=False), Normalize()]


def residual(hidden):
    return [*pool()(hidden), dense(hidden, 12, "GELU", use_residual=True)]


def lstm(hidden):
    from sentence_transformers.sentence_transformer.modules import LSTM
    module = backbones.fill(LSTM(hidden, 8))
    return [module, *pool()(module.get_embedding_dimension())]


def cnn(hidden):
    from sentence_transformers.sentence_transformer.modules import CNN
    module = backbones.fill(CNN(hidden, 8, [1, 3]))
    return [module, *pool()(module.get_embedding_dimension())]


def layers(hidden):
    from sentence_transformers.sentence_transformer.modules import WeightedLayerPooling
    return [WeightedLayerPooling(hidden, num_hidden_layers=backbones.LAYERS, layer_start=1), *pool()(hidden)]


def static(_):
    """A table of vectors, whose mean is the text's: as the static-* and potion-* models."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    reader = backbones.bert()[1].backend_tokenizer
    return [backbones.fill(StaticEmbedding(reader, embedding_dim=backbones.HIDDEN))]


def words(_):
    from sentence_transformers.sentence_transformer.modules import WordEmbeddings
    from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
    import numpy as np
    weights = np.random.RandomState(3).standard_normal((len(backbones.WORDS), 8))
    return [WordEmbeddings(WhitespaceTokenizer(backbones.WORDS, stop_words=[]), weights), *pool()(8)]


def bag(_):
    from sentence_transformers.sentence_transformer.modules import BoW
    return [BoW(backbones.WORDS), dense(len(backbones.WORDS), 8)]


def routes(_):
    """A table for queries, a transformer for documents: the whole model is a Router."""
    from sentence_transformers.base.modules import Router
    return [Router.for_query_document(query_modules=static(None), document_modules=static(None))]


def left(folder):
    edit(folder, "tokenizer_config.json", truncation_side="left")


def router(hidden):
    from sentence_transformers.base.modules import Router
    return [*pool()(hidden), Router.for_query_document(query_modules=[dense(hidden, 8)], document_modules=[dense(hidden, 8)])]


PROMPTS = {"query": "query: ", "passage": "search document: "}
QWEN = {"query": "Instruct: search the garden\nQuery:", "document": ""}
GEMMA = {"query": "task: search | query: ", "document": "title: none | text: ", "STS": "task: similarity | query: "}
BY_NAME = ({"prompt_name": "query"}, {"prompt_name": "passage"})


CASES = [
    # Architectures.
    Case("arch-bert-dense", "bert", "LaBSE's layout and spelling: CLS, 2_Dense with Tanh, 3_Normalize", projected("cls", 16), changes=(old,),
         file="model.onnx"),
    Case("arch-distilbert-dense", "distilbert", "config `dim`, no token_type_ids; distiluse's layout: mean, 2_Dense 16 -> 12 with Tanh, no Normalize",
         projected("mean", 12, normalize="no")),
    Case("arch-roberta", "roberta", "34 positions of which 32 can be used, sentence_roberta_config.json, byte-level BPE", with_normalize(),
         changes=(old, renamed("sentence_roberta_config.json"))),
    Case("arch-xlm-roberta", "xlm_roberta", "Unigram, sentence_xlm-roberta_config.json", with_normalize("cls"),
         changes=(old, renamed("sentence_xlm-roberta_config.json"))),
    Case("arch-camembert", "camembert", "nothing says a length but the 34 positions, of which 32 can be used; <pad> is 1, <s> is 5", pool(),
         changes=(old, unlimited), cap=LONGEST),
    Case("arch-mpnet", "mpnet", "own token ids (<pad> is 1), 34 positions, no token_type_ids; a length of 512 in tokenizer_config.json", with_normalize(),
         longest=512, cap=LONGEST, file="model.onnx"),
    Case("arch-nomic", "nomic", "config `n_embd`, `n_positions` of nomic-embed-text-v1.5; prompts", with_normalize(),
         settings={"prompts": {"search_query": "search query: ", "search_document": "search document: "}}, late=(nomic_names,),
         variants=({"prompt_name": "search_query"}, {"prompt_name": "search_document"}), graph="torch"),
    Case("arch-modernbert", "modernbert", "as sentence-transformers 6 writes it: \"pooling_mode\": \"cls\", rotary positions", with_normalize("cls")),
    Case("arch-qwen3", "qwen3", "decoder, last token, padding on the left, instruction for queries; inputs input_ids, attention_mask, position_ids",
         with_normalize("lasttoken"), settings={"prompts": QWEN, "similarity_fn_name": "cosine"}, changes=(qwen_names,),
         variants=({"prompt_name": "query"}, {"prompt_name": "document"}, {"truncate_dim": 8, "normalize_embeddings": True})),
    Case("arch-qwen3-past", "qwen3", "the same graph with past_key_values.* as inputs and present.* as outputs", with_normalize("lasttoken"),
         settings={"prompts": QWEN, "similarity_fn_name": "cosine"}, changes=(qwen_names,), variants=({"prompt_name": "query"},),
         graph="optimum-past"),
    Case("arch-t5-dense", "t5", "`d_model`, encoder only; sentence-t5's layout: mean, 2_Dense without bias, Identity, 3_Normalize",
         projected("mean", 12, activation="Identity", bias=False), graph="t5-encoder"),
    Case("arch-albert", "albert", "embeddings narrower than the states, sentence_albert_config.json", with_normalize(),
         changes=(old, renamed("sentence_albert_config.json"))),
    Case("arch-gemma3", "gemma3", "EmbeddingGemma: attention to both sides, 2_Dense, 3_Dense, 4_Normalize, prompts, no token_type_ids", gemma,
         settings={"prompts": GEMMA}, variants=({"prompt_name": "query"}, {"prompt_name": "document"}, {"truncate_dim": 8, "normalize_embeddings": True}),
         graph="torch-dynamo"),
    # What stands behind the transformer.
    Case("arch-pool-cls", "bert", "`\"pooling_mode\": \"cls\"`", pool("cls")),
    Case("arch-pool-max", "bert", "`\"pooling_mode\": \"max\"`", pool("max")),
    Case("arch-pool-mean", "bert", "`\"pooling_mode\": \"mean\"`, no Normalize: lengths other than 1", pool(), variants=({"normalize_embeddings": True}, {"truncate_dim": 4})),
    Case("arch-pool-mean-sqrt-len", "bert", "`mean_sqrt_len_tokens`", pool("mean_sqrt_len_tokens")),
    Case("arch-pool-weighted-mean", "bert", "`weightedmean`", pool("weightedmean")),
    Case("arch-pool-last-token", "bert", "`lasttoken`, padding on the right", pool("lasttoken")),
    Case("arch-pool-cls-mean", "bert", "two modes in a list: cls, mean", with_normalize(["cls", "mean"])),
    Case("arch-pool-mean-cls", "bert", "the same in the other order: the list's order counts", pool(["mean", "cls"])),
    Case("arch-pool-flags", "bert", "three of the old flags true: cls, max, mean in this order", pool(["cls", "max", "mean"]), changes=(old,)),
    Case("arch-prompts", "bert", "default_prompt_name, and include_prompt false", with_normalize(include_prompt=False),
         settings={"prompts": PROMPTS, "default_prompt_name": "passage"}, variants=(*BY_NAME, {"prompt": ""}, {"prompt": "fast: "})),
    Case("arch-prompts-included", "bert", "default_prompt_name, prompts of the old spelling", with_normalize(),
         settings={"prompts": PROMPTS, "default_prompt_name": "query"}, changes=(old,), variants=BY_NAME),
    Case("arch-prompts-weighted", "bert", "include_prompt false with weightedmean and with cls", pool(["weightedmean", "cls"], include_prompt=False),
         settings={"prompts": PROMPTS}, variants=BY_NAME),
    Case("arch-lowercase", "bert_cased", "do_lower_case true, with a tokenizer that keeps capital letters", with_normalize(), changes=(lowercase,)),
    Case("arch-matryoshka", "bert", "truncate_dim 8 behind Normalize: no unit length unless normalized again", with_normalize(), settings={"truncate_dim": 8},
         variants=({"normalize_embeddings": True}, {"truncate_dim": 4}, {"truncate_dim": 12}, {"truncate_dim": 16})),
    Case("arch-normalize-dense", "bert", "Normalize before Dense, nothing after", projected("mean", 12, normalize="before")),
    Case("arch-two-dense", "bert", "EmbeddingGemma's layout: 2_Dense, 3_Dense, both without bias and activation, 4_Normalize", gemma),
    Case("arch-residual", "bert", "2_Dense with use_residual (residual.weight), GELU", residual),
    Case("arch-dense-pickle", "bert", "2_Dense as pytorch_model.bin only", projected("cls", 16), changes=(old, pickled), refused=True),
    Case("arch-layer-norm", "bert", "2_LayerNorm", layer_norm),
    Case("arch-dropout", "bert", "2_Dropout, which does nothing here", dropout),
    Case("arch-router", "bert", "2_Router (Asym) with a Dense for each task", router, refused=True),
    Case("arch-lstm", "bert", "1_LSTM before the pooling", lstm, refused=True),
    Case("arch-cnn", "bert", "1_CNN before the pooling", cnn, refused=True),
    Case("arch-layers", "bert", "1_WeightedLayerPooling", layers, refused=True),
    Case("arch-static", "", "0_StaticEmbedding alone: no graph, no config.json, the weights in its model.safetensors", static, graph=None),
    Case("arch-word-embeddings", "", "0_WordEmbeddings and 1_Pooling, no graph", words, graph=None, refused=True),
    Case("arch-bow", "", "0_BoW and 1_Dense, no graph", bag, graph=None, refused=True),
    Case("arch-routes", "", "0_Router with everything inside, no graph", routes, graph=None, refused=True),
    Case("arch-truncate-left", "bert", "tokenizer_config.json says truncation_side left", with_normalize(), changes=(left,)),
    # Graphs.
    Case("arch-int32", "bert", "inputs of int32", with_normalize(), edit="int32"),
    Case("arch-fp16", "bert", "weights and output in fp16", with_normalize(), edit="fp16"),
    Case("arch-sentence-embedding", "bert", "outputs token_embeddings and sentence_embedding (optimum's export of a SentenceTransformer)", with_normalize(),
         graph="sentence-transformers", file="model.onnx"),
    Case("arch-sentence-only", "bert", "sentence_embedding as the only output", with_normalize(), graph="sentence-transformers", edit="sentence-only"),
    Case("arch-external-data", "bert", "model.onnx with model.onnx_data", with_normalize(), edit="external", file="model.onnx"),
    Case("arch-external-torch", "bert", "onnx/model.onnx with onnx/model.onnx.data, as torch's newer exporter names it", with_normalize(), graph="torch-dynamo-external"),
    Case("arch-pooler", "bert", "outputs last_hidden_state and pooler_output: older exporters", with_normalize(), graph="torch-pooler"),
    Case("arch-quantized", "bert", "only onnx/model_quantized.onnx, as transformers.js makes it", with_normalize(), edit="quantized",
         file="onnx/model_quantized.onnx"),
    Case("arch-o3", "bert", "only onnx/model_O3.onnx", with_normalize(), edit="O3", file="onnx/model_O3.onnx"),
    Case("arch-optimized", "bert", "only model_optimized.onnx, in the root as optimum-cli leaves it", with_normalize(), edit="O2", file="model_optimized.onnx"),
    Case("arch-onnx-fp16", "bert", "only onnx/model_fp16.onnx, with fp32 output as transformers.js makes it", with_normalize(), edit="fp16-inside",
         file="onnx/model_fp16.onnx"),
    Case("arch-qint8", "bert", "only onnx/model_qint8_avx512_vnni.onnx", with_normalize(), edit="qint8", file="onnx/model_qint8_avx512_vnni.onnx"),
    Case("arch-bare", "bert", "a checkpoint without modules.json and 1_Pooling, as Xenova's", None),
]
