"""Texts for calibration and for the evaluation, all of our own making: lines of texts/ by themselves and filled into templates.

Of every list calibration takes the even entries and the evaluation the odd ones, so that the two share no line of material.
The corpus for the ranking comes from a third set of lists. It is synthetic: its overlap says how well an INT8 graph keeps the
order of the fp32 graph, not how well either of them searches.
"""

import json
import random
from pathlib import Path

HERE = Path(__file__).resolve().parent / "texts"
CALIBRATION, EVALUATION = 0, 1


def lines(name):
    return HERE.joinpath(name).read_text(encoding="utf-8").splitlines()


SUBJECTS = """the cache of an edge node|a ledger|the billing service|a red bicycle|the lighthouse keeper|a recipe for lentils
the third planet from the sun|a violin concerto|the city council|a trained nurse|the oak behind the school|a neural network
the warehouse robot|a glass of cold water|the marathon runner|an unsigned contract|the chess champion|a broken window
the spring festival|a container image|the night train to Vienna|the insurance company|a flock of starlings|the kernel scheduler
the patient in room twelve|a sailing boat|the constitution|a handwritten letter|the solar panel on the roof|a Python script
the goalkeeper|the museum of modern art|a sleeping cat|the quarterly report|the river after heavy rain|a quantum computer
the wedding photographer|an encrypted backup|Dr. Amina Okafor|NATO|the iPhone of my sister|São Paulo""".replace("\n", "|").split("|")

VERBS = """fails to start after the upgrade|keeps a copy of every record|was sold at auction last week|needs more memory
answers within ten milliseconds|reminds me of my childhood|must be cleaned twice a day|was delayed by a storm|cannot be found
is much cheaper than it used to be|wins against all odds|depends on the weather|was repaired by volunteers|has been open since 1921
refuses the connection without a certificate|tastes better with lemon|was mentioned in parliament|runs on two small batteries
is replicated to three regions|arrives at half past seven|attracts thousands of visitors|can be rolled back at any time
does not exist|smells of cinnamon""".replace("\n", "|").split("|")

ENDS = """because nobody had checked the logs|according to a study published in March|which surprised the whole team
while the others were still waiting|although the manual says otherwise|so please call me back|without any warning|for under 20 €
when the temperature drops below zero|in spite of the new rules|as far as the neighbours can tell|until the end of the season
and the reviewers agreed|despite three failed attempts|at the request of the customer|(see chapter 4)""".replace("\n", "|").split("|")

ACTIONS = """restore a database from a snapshot|bake sourdough bread|invest in government bonds|prune apple trees|train for a race
rotate the TLS certificates|learn the alphabet of Georgian|repair a flat tyre|apply for a visa|measure the latency of an API
calm a crying baby|write a cover letter|compile the kernel|photograph the northern lights|brew green tea|sort a linked list
negotiate a salary|drain a Kubernetes node|plan a funeral|paint with watercolours|file a patent|clean a cast-iron pan
detect fraud in card payments|grow tomatoes on a balcony|translate a poem|calculate compound interest""".replace("\n", "|").split("|")

ASKING = ["How do I {}?", "What is the best way to {}?", "Why would anyone {}?", "can you explain how to {} step by step",
          "Is it safe to {} at night?", "who was the first to {}", "When should we {}?", "Where can students learn to {}?"]

CODE = ["fn main() {{ let {0} = vec![1, 2, {1}]; println!(\"{{:?}}\", {0}); }}",
        "SELECT id, {0} FROM orders WHERE total > {1} ORDER BY created_at DESC LIMIT 10;",
        "def {0}(items):\n    \"\"\"Return the large ones.\"\"\"\n    return sorted(x for x in items if x > {1})\n",
        "curl -s 'https://api.example.com/v1/{0}?limit={1}' | jq .data[0]",
        "{{\"name\": \"{0}\", \"count\": {1}, \"tags\": [\"a\", \"b\"], \"nested\": {{\"ok\": true, \"at\": null}}}}",
        "kubectl -n {0} rollout undo deployment/web --to-revision={1}",
        "for (let i = 0; i < {1}; i++) {{ {0}.push(i * 2); }}",
        "https://example.org/{0}/page/{1}?utm_source=mail#section-{1}",
        "ERROR [{0}] connection reset by peer after {1} ms (attempt 3 of 5)",
        "<div class=\"{0}\" id=\"x{1}\"><a href=\"/home\">Home</a></div>",
        "#include <stdio.h>\nint {0}(int n) {{ return n < 2 ? n : {0}(n - 1) + {0}(n - 2); }} /* {1} */",
        "services:\n  {0}:\n    image: registry.example/{0}:1.{1}\n    ports: [\"8080:80\"]\n",
        "| {0} | {1} | ok |\n|---|---|---|\n| total | 7 | failed |",
        "git commit -m 'Fix {0} (#{1})' && git push origin main"]

NAMES = "user invoice embedding session replica shard token customer ledger payload widget region metric vector tenant x".split()


class Writer:
    """Writes texts from one half of the lists."""

    def __init__(self, half, seed):
        self.chance = random.Random(seed)
        lists = {"subjects": SUBJECTS, "verbs": VERBS, "ends": ENDS, "actions": ACTIONS, "asking": ASKING, "code": CODE,
                 "names": NAMES, "prose": lines("prose.txt"), "languages": lines("languages.txt")}
        self.lists = {name: entries[half::2] for name, entries in lists.items()}

    def pick(self, name):
        return self.chance.choice(self.lists[name])

    def sentence(self):
        text = f"{self.pick('subjects')} {self.pick('verbs')} {self.pick('ends')}."
        return text[0].upper() + text[1:]

    def passage(self, count):
        return " ".join(self.pick("prose") if self.chance.random() < 0.6 else self.sentence() for _ in range(count))

    def code(self):
        return self.pick("code").format(self.pick("names"), self.chance.randint(1, 9999))

    def record(self):
        fields = {self.pick("names"): self.chance.choice([self.chance.randint(0, 10**6), self.pick("subjects"), None, 0.5])
                  for _ in range(self.chance.randint(2, 6))}
        return json.dumps(fields, ensure_ascii=False)

    def one(self):
        """A text of some kind; about one in seven reaches the model's limit of 256 tokens."""
        kinds = [(20, self.sentence), (12, lambda: self.pick("asking").format(self.pick("actions"))), (12, self.code),
                 (4, self.record), (8, lambda: self.pick("prose")), (14, lambda: self.passage(self.chance.randint(2, 6))),
                 (14, lambda: self.passage(self.chance.randint(8, 24))), (4, lambda: "\n".join(self.code() for _ in range(8))),
                 (6, lambda: f"{self.pick('languages')} {self.pick('languages')}"),
                 (3, lambda: f"{self.sentence()} {self.pick('languages')}"), (3, lambda: self.sentence().upper())]
        return self.chance.choices([write for _, write in kinds], [weight for weight, _ in kinds])[0]()

    def several(self, count, first=()):
        """That many different texts: `first`, the lines in other languages, and such as it writes."""
        found = dict.fromkeys([*first, *self.lists["languages"]])
        while len(found) < count:
            found[self.one()] = None
        return list(found)[:count]


def calibration():
    return Writer(CALIBRATION, "calibration").several(500, ["", "the"])


def evaluation():
    """Shares no line of material with calibration, but the empty text."""
    return Writer(EVALUATION, "evaluation").several(300, ["", " "])


def retrieval():
    """A corpus of about 1,240 texts and 170 queries."""
    chance = random.Random("retrieval")
    topics = [line.split("|") for line in lines("topics.txt")]
    aspects = [line.split("|") for line in lines("aspects.txt")]
    corpus = [told.format(*topic, n=chance.randint(3, 90)) for topic in topics for told, _ in aspects]
    corpus += lines("prose.txt")[EVALUATION::2]
    writer = Writer(EVALUATION, "retrieval")
    corpus += [writer.passage(3) for _ in range(20)]
    queries = [chance.choice(aspects)[1].format(*topic) for topic in topics for _ in range(3)]
    return list(dict.fromkeys(corpus)), list(dict.fromkeys(queries))
