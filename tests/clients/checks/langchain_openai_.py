import asyncio
import os
from pathlib import Path

import litellm.litellm_core_utils.tokenizers as bundled

# tiktoken would fetch its table from a server; litellm brings the same file.
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(bundled.__file__).parent)

import openai
from common import MODEL, TEXTS, URL, Checks, all_same, raised, same
from langchain_openai import OpenAIEmbeddings

check = Checks("langchain-openai", "langchain-openai")


def embeddings(**more):
    return OpenAIEmbeddings(base_url=f"{URL}/v1", api_key="none", model=MODEL, max_retries=0, **more)


@check("by default it sends token ids: refused with what to do")
def _():
    error = raised(openai.BadRequestError, embeddings().embed_query, "hello world")
    assert "check_embedding_ctx_length" in str(error), error


@check("embed_documents and embed_query with check_embedding_ctx_length=False")
def _():
    model = embeddings(check_embedding_ctx_length=False)
    all_same(model.embed_documents(TEXTS))
    same(model.embed_query("hello world"), "hello world")


@check("the same with asyncio")
def _():
    model = embeddings(check_embedding_ctx_length=False)
    all_same(asyncio.run(model.aembed_documents(TEXTS)))


@check("chunk_size, dimensions")
def _():
    all_same(embeddings(check_embedding_ctx_length=False, chunk_size=2).embed_documents(TEXTS))
    assert len(embeddings(check_embedding_ctx_length=False, dimensions=4).embed_query("hello world")) == 4


check.end()
