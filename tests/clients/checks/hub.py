import asyncio

from common import DIMENSION, LONG, TEXTS, TRUTH, URL, Checks, all_same, raised, same
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

check = Checks("huggingface_hub", "huggingface_hub")
client = InferenceClient(URL)


@check("feature_extraction of one text")
def _():
    answer = client.feature_extraction("hello world")
    assert answer.shape == (1, DIMENSION) and str(answer.dtype) == "float32", answer.shape
    same(answer[0], "hello world")


@check("feature_extraction of a batch")
def _():
    all_same(client.feature_extraction(TEXTS))


@check("normalize, truncate, truncation_direction")
def _():
    all_same(client.feature_extraction(TEXTS, normalize=True, truncate=True, truncation_direction="right"))
    left = client.feature_extraction(LONG, truncate=True, truncation_direction="left")
    assert left.shape == (1, DIMENSION)
    plain = client.feature_extraction("hello world", normalize=False)[0]
    long = sum(float(number) ** 2 for number in plain) ** 0.5
    same(plain / long, "hello world")


@check("dimensions")
def _():
    assert client.feature_extraction("hello world", dimensions=4).shape == (1, 4)


@check("too long a text with truncate false is refused")
def _():
    error = raised(HfHubHTTPError, client.feature_extraction, LONG, truncate=False)
    assert 400 <= error.response.status_code < 500, error


@check("an unknown prompt_name is refused by name")
def _():
    error = raised(HfHubHTTPError, client.feature_extraction, "hello world", prompt_name="nobody's")
    assert 400 <= error.response.status_code < 500 and "nobody's" in error.response.text, error.response.text


@check("a URL with a slash, and /embed")
def _():
    same(InferenceClient(f"{URL}/").feature_extraction("errors")[0], "errors")
    same(InferenceClient(f"{URL}/embed").feature_extraction("errors")[0], "errors")


@check("a token in the request does no harm")
def _():
    same(InferenceClient(URL, token="hf_none").feature_extraction("errors")[0], "errors")


@check("sentence_similarity at /similarity")
def _():
    texts = ["hello world", "errors"]
    found = InferenceClient(f"{URL}/similarity").sentence_similarity("hello world", other_sentences=texts)
    wanted = [sum(one * two for one, two in zip(TRUTH["hello world"], TRUTH[text])) for text in texts]
    assert max(abs(one - two) for one, two in zip(found, wanted)) < 1e-4, (found, wanted)


if hasattr(client, "health_check"):

    @check("health_check, get_endpoint_info")
    def _():
        endpoint = InferenceClient(URL, provider="hf-inference")
        assert endpoint.health_check()
        info = endpoint.get_endpoint_info()
        assert info["model_id"] and info["max_input_length"] and info["version"], info


@check("with asyncio")
def _():
    async def many():
        async with AsyncInferenceClient(URL) as client:
            return await asyncio.gather(*(client.feature_extraction(TEXTS, truncate=True) for _ in range(16)))

    for vectors in asyncio.run(many()):
        all_same(vectors)


check.end()
