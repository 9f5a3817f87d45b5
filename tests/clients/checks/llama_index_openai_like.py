import asyncio

from common import MODEL, TEXTS, URL, Checks, all_same, same
from llama_index.embeddings.openai_like import OpenAILikeEmbedding

check = Checks("llama-index openai-like", "llama-index-embeddings-openai-like")
model = OpenAILikeEmbedding(model_name=MODEL, api_base=f"{URL}/v1", api_key="none", embed_batch_size=4, max_retries=0)
# The client itself sends a blank for an empty text; the model gives both the same vector.


@check("a batch in parts")
def _():
    all_same(model.get_text_embedding_batch(TEXTS))


@check("a query and a text")
def _():
    same(model.get_query_embedding("hello world"), "hello world")
    same(model.get_text_embedding("errors"), "errors")


@check("with asyncio")
def _():
    all_same(asyncio.run(model.aget_text_embedding_batch(TEXTS)))


check.end()
