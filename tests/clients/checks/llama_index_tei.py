import asyncio

from common import MODEL, TEXTS, URL, Checks, all_same, same
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

check = Checks("llama-index TEI", "llama-index-embeddings-text-embeddings-inference")
model = TextEmbeddingsInference(model_name=MODEL, base_url=URL, timeout=30, embed_batch_size=4)


@check("a batch in parts")
def _():
    # It strips the empty text's instruction only, so the text stays as it is.
    all_same(model.get_text_embedding_batch(TEXTS))


@check("a query and a text")
def _():
    same(model.get_query_embedding("hello world"), "hello world")
    same(model.get_text_embedding("errors"), "errors")


@check("with asyncio")
def _():
    all_same(asyncio.run(model.aget_text_embedding_batch(TEXTS)))


@check("a name of the hub whose instruction the client adds by itself")
def _():
    other = TextEmbeddingsInference(model_name="BAAI/bge-small-en-v1.5", base_url=URL, query_instruction="", text_instruction="")
    same(other.get_text_embedding("errors"), "errors")


check.end()
