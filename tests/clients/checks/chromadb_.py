import os

os.environ["ANONYMIZED_TELEMETRY"] = "False"

import chromadb
from chromadb.utils.embedding_functions import HuggingFaceEmbeddingServer, OpenAIEmbeddingFunction
from common import MODEL, TEXTS, URL, Checks, all_same

check = Checks("chromadb", "chromadb")


@check("HuggingFaceEmbeddingServer")
def _():
    all_same(HuggingFaceEmbeddingServer(url=URL)(TEXTS))


@check("HuggingFaceEmbeddingServer at /embed")
def _():
    all_same(HuggingFaceEmbeddingServer(url=f"{URL}/embed")(TEXTS))


@check("a collection finds each text by itself")
def _():
    texts = [text for text in TEXTS if text]
    collection = chromadb.EphemeralClient().create_collection("texts", embedding_function=HuggingFaceEmbeddingServer(url=URL))
    collection.add(ids=[str(at) for at in range(len(texts))], documents=texts)
    found = collection.query(query_texts=texts, n_results=1)
    assert [row[0] for row in found["documents"]] == texts, found


@check("OpenAIEmbeddingFunction")
def _():
    os.environ["OPENAI_API_KEY"] = "none"
    all_same(OpenAIEmbeddingFunction(model_name=MODEL, api_base=f"{URL}/v1", api_key_env_var="OPENAI_API_KEY")(TEXTS))


check.end()
