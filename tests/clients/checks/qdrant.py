import openai
from common import DIMENSION, MODEL, TEXTS, URL, Checks
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

check = Checks("qdrant-client", "qdrant-client")
create = openai.OpenAI(base_url=f"{URL}/v1", api_key="none").embeddings.create


def vectors(texts):
    return [row.embedding for row in create(model=MODEL, input=texts).data]


@check("a collection in memory finds each text by the server's vectors")
def _():
    client = QdrantClient(":memory:")
    client.create_collection("texts", vectors_config=VectorParams(size=DIMENSION, distance=Distance.COSINE))
    points = [PointStruct(id=at, vector=vector, payload={"text": text}) for at, (text, vector) in enumerate(zip(TEXTS, vectors(TEXTS)))]
    client.upsert("texts", points)
    for text, vector in zip(TEXTS, vectors(TEXTS)):
        best = client.query_points("texts", query=vector, limit=1).points[0]
        assert best.payload["text"] == text and best.score > 0.9999, (text, best)


check.end()
