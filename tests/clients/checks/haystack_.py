import asyncio
import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["OPENAI_API_KEY"] = "none"

from common import MODEL, TEXTS, URL, Checks, all_same, same
from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack_integrations.components.embedders.huggingface_api import HuggingFaceAPIDocumentEmbedder, HuggingFaceAPITextEmbedder

check = Checks("haystack", "haystack-ai", "huggingface-api-haystack")
TEI = {"api_type": "text_embeddings_inference", "api_params": {"url": URL}, "normalize": True}
# The document embedder leaves out documents without text.
SAID = [text for text in TEXTS if text]


@check("HuggingFaceAPITextEmbedder")
def _():
    embedder = HuggingFaceAPITextEmbedder(**TEI)
    for text in TEXTS:
        same(embedder.run(text)["embedding"], text)


@check("HuggingFaceAPIDocumentEmbedder")
def _():
    embedder = HuggingFaceAPIDocumentEmbedder(**TEI, batch_size=2, progress_bar=False)
    documents = embedder.run([Document(content=text) for text in SAID])["documents"]
    all_same([document.embedding for document in documents], SAID)


@check("its defaults (normalize false)")
def _():
    plain = HuggingFaceAPITextEmbedder(**{**TEI, "normalize": False}).run("hello world")["embedding"]
    long = sum(number**2 for number in plain) ** 0.5
    same([number / long for number in plain], "hello world")


@check("with asyncio")
def _():
    same(asyncio.run(HuggingFaceAPITextEmbedder(**TEI).run_async("hello world"))["embedding"], "hello world")


@check("OpenAITextEmbedder, OpenAIDocumentEmbedder")
def _():
    same(OpenAITextEmbedder(model=MODEL, api_base_url=f"{URL}/v1").run("hello world")["embedding"], "hello world")
    embedder = OpenAIDocumentEmbedder(model=MODEL, api_base_url=f"{URL}/v1", progress_bar=False)
    all_same([document.embedding for document in embedder.run([Document(content=text) for text in SAID])["documents"]], SAID)


check.end()
