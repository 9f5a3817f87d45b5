import asyncio
import base64
import struct

import openai
from common import ALIAS, DIMENSION, LONG, MODEL, TEXTS, TRUTH, URL, Checks, all_same, raised, same

check = Checks("openai-python", "openai")
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
create = client.embeddings.create


@check("a batch, as the client asks by itself (base64)")
def _():
    answer = create(model=MODEL, input=TEXTS)
    assert [row.index for row in answer.data] == list(range(len(TEXTS)))
    all_same([row.embedding for row in answer.data])
    assert answer.model == MODEL and answer.usage.total_tokens == answer.usage.prompt_tokens > len(TEXTS)


@check("numbers, a user, one text")
def _():
    same(create(model=MODEL, input="hello world", encoding_format="float", user="somebody").data[0].embedding, "hello world")


@check("base64 on request")
def _():
    raw = create(model=MODEL, input="hello world", encoding_format="base64").data[0].embedding
    same(struct.unpack(f"<{DIMENSION}f", base64.b64decode(raw)) if isinstance(raw, str) else raw, "hello world")


@check("encoding_format null")
def _():
    same(create(model=MODEL, input="hello world", extra_body={"encoding_format": None}).data[0].embedding, "hello world")


@check("dimensions")
def _():
    short = create(model=MODEL, input="hello world", dimensions=4).data[0].embedding
    whole = TRUTH["hello world"][:4]
    scale = sum(number * number for number in whole) ** 0.5
    assert max(abs(one - two / scale) for one, two in zip(short, whole)) < 1e-5, "the first four, one unit long"


@check("2,048 texts")
def _():
    data = create(model=MODEL, input=["hello world", "errors"] * 1024).data
    assert len(data) == 2048
    same(data[2047].embedding, "errors")


@check("2,049 texts are refused")
def _():
    raised(openai.BadRequestError, create, model=MODEL, input=["a"] * 2049)


@check("too long a text is cut, and refused when it is not to be")
def _():
    same(create(model=MODEL, input=LONG).data[0].embedding, LONG)
    error = raised(openai.APIStatusError, create, model=MODEL, input=LONG, extra_body={"truncate": False})
    assert error.status_code in (400, 413) and error.code == "INPUT_TOO_LONG", error


@check("models")
def _():
    assert MODEL in [model.id for model in client.models.list()]
    model = client.models.retrieve(MODEL)
    assert model.object == "model" and model.id == MODEL and model.owned_by and isinstance(model.created, int)
    raised(openai.NotFoundError, client.models.retrieve, "text-embedding-3-small")


@check("a hub id as name")
def _():
    same(create(model=ALIAS, input="hello world").data[0].embedding, "hello world")
    assert client.models.retrieve(ALIAS).id


@check("an unknown model")
def _():
    error = raised(openai.NotFoundError, create, model="text-embedding-3-small", input="a")
    assert error.code == "MODEL_NOT_FOUND" and "text-embedding-3-small" in str(error), error


@check("token ids are refused with what to do")
def _():
    for ids in ([1, 2, 3], [[1, 2], [3]]):
        error = raised(openai.BadRequestError, create, model=MODEL, input=ids)
        assert "token" in str(error) and "check_embedding_ctx_length" in str(error), error


@check("an empty list is refused")
def _():
    error = raised(openai.BadRequestError, create, model=MODEL, input=[])
    assert error.code == "INVALID_REQUEST" and "empty" in str(error), error


@check("a trailing slash of the base")
def _():
    same(openai.OpenAI(base_url=f"{URL}/v1/", api_key="none").embeddings.create(model=MODEL, input="errors").data[0].embedding, "errors")


@check("the raw answer has a request id")
def _():
    raw = client.embeddings.with_raw_response.create(model=MODEL, input="a")
    assert raw.headers["x-request-id"] and raw.http_response.status_code == 200


@check("thirty-two at a time (asyncio)")
def _():
    async def many():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0) as many:
            return await asyncio.gather(*(many.embeddings.create(model=MODEL, input=TEXTS) for _ in range(32)))

    for answer in asyncio.run(many()):
        all_same([row.embedding for row in answer.data])


check.end()
