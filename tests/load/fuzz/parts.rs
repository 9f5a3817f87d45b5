//! Parts of tokenizers, and texts for them.

use serde_json::{Value, json};

use super::dice::Dice;

/// Whether a part may stand there.
pub fn fits(key: &str, part: &Value) -> bool {
    let kinds: &[&str] = match key {
        "model" => &["BPE", "Unigram", "WordLevel", "WordPiece"],
        "normalizer" => &[
            "Replace",
            "BertNormalizer",
            "Precompiled",
            "Prepend",
            "Strip",
            "NFKD",
            "StripAccents",
            "Nmt",
            "ByteLevel",
            "Sequence",
        ],
        "pre_tokenizer" => &[
            "Split",
            "ByteLevel",
            "Metaspace",
            "CharDelimiterSplit",
            "Punctuation",
            "Digits",
            "FixedLength",
            "UnicodeScripts",
            "Whitespace",
            "WhitespaceSplit",
            "BertPreTokenizer",
            "Sequence",
        ],
        "post_processor" => &["BertProcessing", "RobertaProcessing", "TemplateProcessing", "ByteLevel", "Sequence"],
        _ => &[
            "WordPiece",
            "BPEDecoder",
            "CTC",
            "Fuse",
            "ByteFallback",
            "Strip",
            "Replace",
            "ByteLevel",
            "Metaspace",
            "Sequence",
        ],
    };
    let is_model = part.get("vocab").is_some();
    is_model == (key == "model") && part["type"].as_str().is_some_and(|kind| kinds.contains(&kind))
}

/// Parts of tokenizers that are right by themselves, and wrong where they come to stand.
pub fn pool() -> Vec<Value> {
    let patterns = [
        "",
        "(?=)",
        "(a+)+$",
        "(x*)*y",
        ".{0,60000}",
        "((a{100}){100}){10}",
        r"\p{L}*",
        "(?i)É",
        r"\b",
        "^",
        "$",
        "[",
        "(?<=a*)b",
        r"(\w+)\1",
        " ",
    ];
    let mut pool: Vec<Value> = patterns.iter().map(|pattern| json!({"Regex": pattern})).collect();
    for pattern in patterns {
        pool.push(json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": "xy"}));
        pool.push(json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}));
    }
    pool.extend([
        json!({"type": "BPE", "dropout": 0.5, "unk_token": null, "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true, "vocab": {"a": 0, "b": 1, "ab": 4_294_967_295_u32}, "merges": ["a b"]}),
        json!({"type": "BPE", "vocab": {}, "merges": []}),
        json!({"type": "BPE", "vocab": {"a": 0, "##b": 1, "ab": 2}, "merges": [["a", "##b"]], "continuing_subword_prefix": "######"}),
        json!({"type": "Unigram", "vocab": [["<unk>", 0.0], ["a", -1e308], ["", 0.0]], "unk_id": 0, "byte_fallback": true}),
        json!({"type": "Unigram", "vocab": [], "unk_id": null}),
        json!({"type": "Unigram", "vocab": [["a", 1.0]], "unk_id": 7}),
        json!({"type": "Unigram", "vocab": [["a", 1.0]], "unk_id": null}),
        json!({"type": "WordLevel", "vocab": {"a": 7}, "unk_token": "[UNK]"}),
        json!({"type": "WordLevel", "vocab": {}, "unk_token": ""}),
        json!({"type": "WordPiece", "vocab": {"a": 0, "##": 1, "": 2}, "unk_token": "a", "continuing_subword_prefix": "", "max_input_chars_per_word": 100_000}),
        json!({"type": "WordPiece", "vocab": {}, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 0}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": true, "lowercase": true}),
        json!({"type": "Precompiled", "precompiled_charsmap": ""}),
        json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
        json!({"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAD/////AAAA"}),
        json!({"type": "Prepend", "prepend": "▁"}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "Strip", "content": "a", "start": u32::MAX, "stop": 5}),
        json!({"type": "NFKD"}),
        json!({"type": "StripAccents"}),
        json!({"type": "Nmt"}),
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
        json!({"type": "Metaspace", "replacement": "", "prepend_scheme": "first", "split": false}),
        json!({"type": "CharDelimiterSplit", "delimiter": "a"}),
        json!({"type": "Punctuation", "behavior": "MergedWithNext"}),
        json!({"type": "Digits", "individual_digits": true}),
        json!({"type": "FixedLength", "length": 0}),
        json!({"type": "FixedLength", "length": 3}),
        json!({"type": "UnicodeScripts"}),
        json!({"type": "Whitespace"}),
        json!({"type": "WhitespaceSplit"}),
        json!({"type": "BertPreTokenizer"}),
        json!({"type": "Sequence", "normalizers": []}),
        json!({"type": "Sequence", "pretokenizers": []}),
        json!({"type": "Sequence", "processors": []}),
        json!({"type": "Sequence", "decoders": []}),
        json!({"type": "BertProcessing", "sep": ["[SEP]", 4_294_967_295_u32], "cls": ["[CLS]", 0]}),
        json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": false}),
        json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "B", "type_id": 9}}], "special_tokens": {}}),
        json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "pair": [], "special_tokens": {"x": {"id": "x", "ids": [], "tokens": []}}}),
        json!({"type": "TemplateProcessing", "single": many(), "pair": [], "special_tokens": {"x": {"id": "x", "ids": [1], "tokens": ["x"]}}}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        json!({"type": "BPEDecoder", "suffix": ""}),
        json!({"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": true}),
        json!({"type": "Fuse"}),
        json!({"type": "ByteFallback"}),
        json!({"id": 0, "content": "", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true, "special": true}),
        json!({"id": u32::MAX, "content": " ", "single_word": false, "lstrip": true, "rstrip": true, "normalized": false, "special": false}),
        json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 5}),
        json!({"strategy": {"Fixed": 1_u64 << 40}, "direction": "Right", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}),
    ]);
    for depth in [3, 8, 16, 24, 40] {
        for (kind, key) in [
            ("Sequence", "normalizers"),
            ("Sequence", "pretokenizers"),
            ("Sequence", "decoders"),
            ("Sequence", "processors"),
        ] {
            let mut nested = json!({"type": "NFC"});
            for _ in 0..depth {
                nested = json!({"type": kind, key: [nested]});
            }
            pool.push(nested);
        }
    }
    pool
}

/// More special tokens than any text may have.
fn many() -> Vec<Value> {
    vec![json!({"SpecialToken": {"id": "x", "type_id": 0}}); 600]
}

pub fn odd_text(dice: &mut Dice) -> String {
    let parts = [
        "hello",
        " ",
        "world",
        "the",
        "a",
        "aaaaaaaa",
        "b",
        "\u{0}",
        "\u{301}\u{301}",
        "é",
        "É",
        "ß",
        "İ",
        "ﷺ",
        "🏳️‍🌈",
        "中文",
        "ไทย",
        "\u{200b}",
        "\u{feff}",
        "\r\n",
        "\t",
        "##",
        "[CLS]",
        "[SEP]",
        "</s>",
        "<s>",
        "<|endoftext|>",
        "▁",
        "'s",
        "3.14",
        "\u{10ffff}",
        "\u{1f468}\u{200d}",
        "ا",
        "\u{fffd}",
        "!!!",
        "x",
    ];
    match dice.below(8) {
        0 => String::new(),
        1 => dice.one(&parts).repeat(1 + dice.below(2000)),
        2 => {
            (0..dice.below(200)).map(|_| char::from_u32(dice.roll() as u32 % 0x11_0000).unwrap_or('\u{fffd}')).collect()
        }
        _ => (0..dice.below(30)).map(|_| *dice.one(&parts)).collect(),
    }
}
