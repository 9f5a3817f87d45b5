import asyncio

from common import TEXTS, URL, Checks, all_same, same
from huggingface_hub import AsyncInferenceClient, InferenceClient
from langchain_huggingface import HuggingFaceEndpointEmbeddings

check = Checks("langchain-huggingface", "langchain-huggingface")
# Its newest versions take names of the hub only; the clients are replaced to point it at a server.
model = HuggingFaceEndpointEmbeddings(model="sentence-transformers/all-MiniLM-L6-v2", huggingfacehub_api_token="none")
model.client, model.async_client = InferenceClient(URL), AsyncInferenceClient(URL)


@check("embed_documents")
def _():
    all_same(model.embed_documents(TEXTS))


@check("embed_query")
def _():
    same(model.embed_query("hello world"), "hello world")


@check("with asyncio")
def _():
    all_same(asyncio.run(model.aembed_documents(TEXTS)))


@check("model_kwargs")
def _():
    model.model_kwargs = {"truncate": True, "normalize": True}
    all_same(model.embed_documents(TEXTS))


check.end()
