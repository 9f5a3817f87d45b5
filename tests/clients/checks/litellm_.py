import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["HUGGINGFACE_API_KEY"] = "none"

import litellm
from common import LONG, MODEL, TEXTS, URL, Checks, all_same, raised, same

check = Checks("litellm", "litellm")
litellm.telemetry = False
# Without a task the client asks the hub for one.
TEI = {"model": f"huggingface/{MODEL}", "api_base": URL, "input_type": "embed"}
OPENAI = {"model": f"openai/{MODEL}", "api_base": f"{URL}/v1", "api_key": "none", "num_retries": 0}


def vectors(answer):
    return [row["embedding"] for row in answer.data]


@check("huggingface/: a batch")
def _():
    all_same(vectors(litellm.embedding(input=TEXTS, **TEI)))


@check("huggingface/: with asyncio")
def _():
    all_same(vectors(asyncio.run(litellm.aembedding(input=TEXTS, **TEI))))


@check("huggingface/: a text that is cut")
def _():
    all_same(vectors(litellm.embedding(input=[LONG], truncate=True, **TEI)), [LONG])


@check("openai/: a batch")
def _():
    answer = litellm.embedding(input=TEXTS, **OPENAI)
    all_same(vectors(answer))
    assert answer.usage.total_tokens > len(TEXTS)


@check("openai/: numbers, dimensions, one text")
def _():
    same(vectors(litellm.embedding(input="hello world", encoding_format="float", **OPENAI))[0], "hello world")
    assert len(vectors(litellm.embedding(input=["hello world"], dimensions=4, allowed_openai_params=["dimensions"], **OPENAI))[0]) == 4


@check("openai/: with asyncio")
def _():
    all_same(vectors(asyncio.run(litellm.aembedding(input=TEXTS, **OPENAI))))


@check("openai/: an unknown model is its NotFoundError")
def _():
    raised(litellm.NotFoundError, litellm.embedding, input=["a"], **{**OPENAI, "model": "openai/nobody"})


check.end()
