"""Speaks to a server through OpenAI's official client: openai_client.py URL. Run by tests/serve/serve_rest.rs."""

import base64
import struct
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
passed = 0


def check(holds, what):
    global passed
    if not holds:
        raise SystemExit(f"not so: {what}")
    passed += 1


def refusal(**request):
    try:
        client.embeddings.create(**request)
    except openai.APIStatusError as error:
        return error
    raise SystemExit(f"not refused: {request}")


texts = ["hello world", "", "the cache of an edge", "東京 🚀"]
# The client asks for base64 when it is not told, and decodes it by itself.
batch = client.embeddings.create(model="tiny", input=texts)
check([row.index for row in batch.data] == [0, 1, 2, 3] and all(len(row.embedding) == 8 for row in batch.data), "a batch in order")
plain = client.embeddings.create(model="tiny", input=texts, encoding_format="float", user="somebody")
far = max(abs(a - b) for one, two in zip(batch.data, plain.data) for a, b in zip(one.embedding, two.embedding))
check(far < 1e-6 and plain.usage.total_tokens > 8 and plain.model == "tiny", "numbers are what base64 says")
raw = client.embeddings.create(model="tiny", input="hello world", encoding_format="base64").data[0].embedding
numbers = struct.unpack("<8f", base64.b64decode(raw)) if isinstance(raw, str) else tuple(raw)
check(max(abs(a - b) for a, b in zip(numbers, plain.data[0].embedding)) < 1e-6, "base64 on request")
check(len(client.embeddings.create(model="tiny", input="a", dimensions=4).data[0].embedding) == 4, "dimensions")
missing = refusal(model="text-embedding-3-small", input="a")
check(isinstance(missing, openai.NotFoundError) and "unknown model" in str(missing) and missing.code == "MODEL_NOT_FOUND", f"not found: {missing}")
ids = refusal(model="tiny", input=[1, 2, 3])
check(isinstance(ids, openai.BadRequestError) and "token ids are not accepted" in str(ids), f"token ids: {ids}")
empty = refusal(model="tiny", input=[])
check(isinstance(empty, openai.BadRequestError) and empty.code == "INVALID_REQUEST" and "empty" in str(empty), f"empty list: {empty}")
print(f"{passed} checks passed")
