#!/usr/bin/env python3
"""Write templates/certify/suite.json: what `models certify` asks every tier.

    exporter/suite.py

`texts` are the 200 of tests/fixtures/embedding/golden.json and odd ones besides: characters whose case, class or decomposition
depends on the Unicode version, whitespace of every kind, lone special tokens, texts at the limit. `corpus` and `queries` are of the
exporter's synthetic texts: each query names the text that it is about. Run by hand.
"""

import json
from pathlib import Path

import texts

ROOT = Path(__file__).resolve().parent.parent
GOAL = ROOT / "templates/certify/suite.json"
TOPICS = 20
ODD = ["[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]", "[cls] [SEP]", "a[SEP]b", "\t\n\r\u000b\u000c ", "\u00a0\u2003\u3000\u2028\u2029x", "\ufeffstart",
       "ΣΊΣΥΦΟΣ ΑΣ", "İSTANBUL ıi", "Straße STRASSE ẞ", "ﬁnance ﬂow", "e\u0301\u0323 q\u0307\u0323", "ẛ̣ ẛ̣", "한국어 각 ᄒ", "日本語 カタカナ ｶﾅ", "中文，標點。",
       "עִבְרִית", "العَرَبِيَّة", "हिन्दी क्षि", "ไทย น้ำ", "👩‍👩‍👧‍👦 🇩🇪 👍🏽", "Ⅷ ⓐ ½ ²", "soft\u00adhyphen zero\u200bwidth", "\u0000null\u0001\u007f", "\ue000\U000f0000",
       "\u0378\u1abf\u0897", "\U0001e4ec\U00010d50", "don't rock'n'roll", "http://x.y/z?q=1&r=a+b%20c#d", "x" * 100, "x" * 101, "ü" * 200, "word " * 254, "word " * 255,
       "a\nb\n\nc", "  leading and trailing  ", "UPPER lower MiXeD", "1234567890 3.14 1e-9 0xFF", "—–‐‑ “quoted” ‘single’ «angle»", "$€£¥₿", "C:\\path\\to\\file",
       "fn main() { println!(\"{}\", 1 << 4); }", "SELECT * FROM t WHERE a='b';", "🚀", "a" + "\u0301" * 30, "тест ТЕСТ ё Ё", "ǅ ǈ Ǆ"]


def retrieval():
    """Texts about some topics, and for each topic three questions with the place of the text that answers."""
    topics = [line.split("|") for line in texts.lines("topics.txt")][:TOPICS]
    aspects = [line.split("|") for line in texts.lines("aspects.txt")]
    corpus = [told.format(*topic, n=7 + at) for topic in topics for at, (told, _) in enumerate(aspects)]
    queries = [{"text": aspects[at][1].format(*topic), "answer": number * len(aspects) + at}
               for number, topic in enumerate(topics) for at in (number % len(aspects), (number + 7) % len(aspects), (number + 13) % len(aspects))]
    return corpus, queries


def main():
    golden = json.loads((ROOT / "tests/fixtures/embedding/golden.json").read_text(encoding="utf-8"))
    corpus, queries = retrieval()
    every = list(dict.fromkeys([*(one["text"] for one in golden["texts"]), *ODD]))
    GOAL.parent.mkdir(exist_ok=True)
    GOAL.write_text(json.dumps({"format": 1, "texts": every, "corpus": corpus, "queries": queries}, ensure_ascii=True, indent=0) + "\n")
    print(len(every), len(corpus), len(queries))


if __name__ == "__main__":
    main()
