"""The transformers: tiny, with made-up weights that depend on nothing but their names, and their tokenizers."""

import zlib

import numpy as np
import torch
import transformers as hf

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the of and to in is it for on with as by at this that from are be was not hello world a model text vector cache edge server
query cloud data fast slow red green blue one two three rust python json error user token image night train river tree garden city
search document instruct über straße naïve 東 京 世 界 привет 🚀""".split()
TAILS = "s ed ing er ly tion".split()
LETTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 16, 32, 2, 2, 64
# As in RoBERTa's 514: positions start behind the id of the padding, so two fewer tokens fit.
SHIFTED = 34


def pieces(special):
    """A WordPiece vocabulary."""
    tails = [f"##{letter}" for letter in LETTERS if letter.isalnum()] + [f"##{tail}" for tail in TAILS]
    found = list(dict.fromkeys([*special, *LETTERS, *tails, *WORDS, "uber", "strasse", "naive"]))
    return {piece: at for at, piece in enumerate(found)}


def scored(before, after=()):
    """A Unigram vocabulary: words are likelier than their letters."""
    words = list(dict.fromkeys([*(f"▁{word}" for word in WORDS), *TAILS]))
    letters = ["▁", *LETTERS, *(chr(code) for code in range(ord("A"), ord("Z") + 1))]
    likely = [(word, -4.0 - 0.01 * at) for at, word in enumerate(words)]
    rare = [(letter, -9.0 - 0.01 * at) for at, letter in enumerate(letters) if letter not in words]
    return [*((name, 0.0) for name in before), *likely, *rare, *((name, 0.0) for name in after)]


def byte_alphabet():
    """GPT-2's letters for the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {byte: chr(byte) for byte in shown} | {byte: chr(256 + at) for at, byte in enumerate(hidden)}
    return [table[byte] for byte in range(256)]


def merged(before=(), after=()):
    """A byte-level BPE vocabulary with the merges that build the words from the left."""
    letters = byte_alphabet()
    joined, rules = [], []
    for word in [f" {word}" for word in WORDS] + WORDS[:40] + TAILS:
        parts = [letters[byte] for byte in word.encode()]
        while len(parts) > 1:
            rule, parts = (parts[0], parts[1]), [parts[0] + parts[1], *parts[2:]]
            if rule not in rules:
                rules.append(rule)
                joined.append(parts[0])
    found = list(dict.fromkeys([*before, *letters, *joined, *after]))
    return {piece: at for at, piece in enumerate(found)}, rules


def fill(model, spread=0.4):
    """Made-up weights: a generator for each name, so that neither the order nor another layer changes them."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            chance = np.random.RandomState(zlib.crc32(name.encode()))
            numbers = spread * chance.standard_normal(tuple(value.shape))
            around = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            value.copy_(torch.from_numpy((around + numbers).astype(np.float32)))
    return model.eval()


def common(tokens, **more):
    return dict(vocab_size=tokens, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                max_position_embeddings=POSITIONS, **more)


def bert(lowercase=True):
    vocabulary = pieces(SPECIAL)
    reader = hf.BertTokenizer(vocab=vocabulary, do_lower_case=lowercase, model_max_length=512)
    return fill(hf.BertModel(hf.BertConfig(**common(len(vocabulary))))), reader


def distilbert():
    vocabulary = pieces(SPECIAL)
    config = hf.DistilBertConfig(vocab_size=len(vocabulary), dim=HIDDEN, hidden_dim=INNER, n_layers=LAYERS, n_heads=HEADS,
                                 max_position_embeddings=POSITIONS)
    return fill(hf.DistilBertModel(config)), hf.DistilBertTokenizer(vocab=vocabulary, model_max_length=512)


def shifted(tokens, **more):
    return {**common(tokens, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, **more), "max_position_embeddings": SHIFTED}


def roberta():
    vocabulary, rules = merged(["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
    reader = hf.RobertaTokenizer(vocab=vocabulary, merges=rules, model_max_length=512)
    return fill(hf.RobertaModel(hf.RobertaConfig(**shifted(len(vocabulary))))), reader


def xlm_roberta():
    vocabulary = scored(["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
    reader = hf.XLMRobertaTokenizer(vocab=vocabulary, model_max_length=512)
    return fill(hf.XLMRobertaModel(hf.XLMRobertaConfig(**shifted(len(vocabulary))))), reader


def camembert():
    """Its own order of special tokens: <s>NOTUSED 0, <pad> 1, </s>NOTUSED 2, <unk> 3, <unk>NOTUSED 4, <s> 5, </s> 6."""
    vocabulary = scored(["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"], ["<mask>"])
    reader = hf.CamembertTokenizer(vocab=vocabulary)
    numbers = {**shifted(len(vocabulary)), "bos_token_id": 5, "eos_token_id": 6}
    return fill(hf.CamembertModel(hf.CamembertConfig(**numbers))), reader


def mpnet():
    vocabulary = pieces(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])
    reader = hf.MPNetTokenizer(vocab=vocabulary, model_max_length=512)
    numbers = shifted(len(vocabulary))
    numbers.pop("type_vocab_size")
    return fill(hf.MPNetModel(hf.MPNetConfig(**numbers))), reader


def albert():
    """Embeddings narrower than the states, one layer's weights for all layers."""
    vocabulary = scored(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])
    reader = hf.AlbertTokenizer(vocab=vocabulary, model_max_length=512)
    config = hf.AlbertConfig(**common(len(vocabulary), embedding_size=8, pad_token_id=0, bos_token_id=2, eos_token_id=3))
    return fill(hf.AlbertModel(config)), reader


def gemma3():
    """As EmbeddingGemma: attention to both sides, <bos> and <eos> around the text."""
    vocabulary, rules = merged(["<pad>", "<eos>", "<bos>", "<unk>"])
    reader = byte_level(vocabulary, rules, ["<bos>", "$A", "<eos>"], bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")
    config = hf.Gemma3TextConfig(**common(len(vocabulary), num_key_value_heads=1, head_dim=8, pad_token_id=0, eos_token_id=1, bos_token_id=2,
                                          sliding_window=8, query_pre_attn_scalar=8, use_bidirectional_attention=True,
                                          layer_types=["sliding_attention", "full_attention"]))
    config._attn_implementation = "eager"
    return fill(hf.Gemma3TextModel(config)), reader


def nomic():
    vocabulary = pieces(SPECIAL)
    reader = hf.BertTokenizer(vocab=vocabulary, model_max_length=8192)
    config = hf.NomicBertConfig(**common(len(vocabulary)))
    config._attn_implementation = "eager"
    return fill(hf.NomicBertModel(config)), reader


def modernbert():
    vocabulary, rules = merged(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    reader = byte_level(vocabulary, rules, ["[CLS]", "$A", "[SEP]"], unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                        pad_token="[PAD]", mask_token="[MASK]", model_input_names=["input_ids", "attention_mask"])
    config = hf.ModernBertConfig(**common(len(vocabulary), pad_token_id=3, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2,
                                          local_attention=8, global_attn_every_n_layers=2))
    return fill(hf.ModernBertModel(config)), reader


def byte_level(vocabulary, rules, template, **named):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    reader = Tokenizer(models.BPE(vocab=vocabulary, merges=rules))
    reader.normalizer = normalizers.NFC()
    reader.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    reader.decoder = decoders.ByteLevel()
    inside = [(name, vocabulary[name]) for name in template if name != "$A"]
    reader.post_processor = processors.TemplateProcessing(single=template, special_tokens=inside)
    return hf.PreTrainedTokenizerFast(tokenizer_object=reader, **named)


def qwen3():
    """As Qwen3-Embedding: padding on the left, the end of the text appended by the post processor."""
    end = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary, rules = merged((), end)
    from tokenizers import processors

    reader = hf.Qwen2Tokenizer(vocab=vocabulary, merges=rules, eos_token="<|im_end|>", padding_side="left", model_max_length=131072)
    last = ("<|endoftext|>", vocabulary["<|endoftext|>"])
    byte_level_part = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    whole = processors.TemplateProcessing(single=["$A", last[0]], special_tokens=[last])
    reader.backend_tokenizer.post_processor = processors.Sequence([byte_level_part, whole])
    numbers = common(len(vocabulary), num_key_value_heads=1, head_dim=8, bos_token_id=last[1], eos_token_id=vocabulary["<|im_end|>"],
                     tie_word_embeddings=True)
    return fill(hf.Qwen3ForCausalLM(hf.Qwen3Config(**numbers))), reader


def t5():
    extra = 4
    vocabulary = scored(["<pad>", "</s>", "<unk>"], [f"<extra_id_{at}>" for at in reversed(range(extra))])
    reader = hf.T5Tokenizer(vocab=vocabulary, extra_ids=extra, model_max_length=512)
    config = hf.T5Config(vocab_size=len(vocabulary), d_model=HIDDEN, d_kv=8, d_ff=INNER, num_layers=LAYERS, num_heads=HEADS,
                         relative_attention_num_buckets=8, relative_attention_max_distance=16)
    return fill(hf.T5EncoderModel(config), 0.3), reader
