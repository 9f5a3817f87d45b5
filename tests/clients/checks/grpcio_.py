import os
import struct
import sys
import tempfile

import grpc
from common import ALIAS, DIMENSION, GRPC, LONG, MODEL, ROOT, TEXTS, Checks, all_same, raised, same
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

check = Checks("grpcio", "grpcio")
PROTO = "akidb/embedding/v1/embedding.proto"
# The stubs, as anybody makes them from the file in proto/.
stubs = tempfile.mkdtemp()
made = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={stubs}", f"--grpc_python_out={stubs}", str(ROOT / "proto" / PROTO)])
assert made == 0
sys.path.insert(0, stubs)
from akidb.embedding.v1 import embedding_pb2 as pb
from akidb.embedding.v1 import embedding_pb2_grpc

channel = grpc.insecure_channel(GRPC)
stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)


def trailers(error):
    return {key: value for key, value in error.trailing_metadata()}


@check("Embed")
def _():
    answer = stub.Embed(pb.EmbedRequest(model=MODEL, inputs=TEXTS), timeout=30)
    all_same([one.values for one in answer.embeddings])
    assert answer.model == MODEL and answer.version and answer.usage.total_tokens > len(TEXTS)


@check("ENCODING_BYTES, dimensions, the default model")
def _():
    answer = stub.Embed(pb.EmbedRequest(inputs=["hello world"], encoding=pb.ENCODING_BYTES))
    same(struct.unpack(f"<{DIMENSION}f", answer.embeddings[0].packed), "hello world")
    assert len(stub.Embed(pb.EmbedRequest(inputs=["a"], dimensions=4)).embeddings[0].values) == 4


@check("a hub id as name")
def _():
    same(stub.Embed(pb.EmbedRequest(model=ALIAS, inputs=["hello world"])).embeddings[0].values, "hello world")


@check("EmbedStream")
def _():
    asked = (pb.EmbedStreamRequest(id=str(at), request=pb.EmbedRequest(model=MODEL, inputs=TEXTS)) for at in range(16))
    answers = list(stub.EmbedStream(asked, timeout=30))
    assert sorted(int(one.id) for one in answers) == list(range(16))
    for one in answers:
        all_same([row.values for row in one.response.embeddings])


@check("a mistake in a stream does not end it")
def _():
    asked = [pb.EmbedRequest(model="nobody", inputs=["a"]), pb.EmbedRequest(model=MODEL, inputs=["hello world"])]
    answers = {one.id: one for one in stub.EmbedStream(pb.EmbedStreamRequest(id=str(at), request=one) for at, one in enumerate(asked))}
    assert answers["0"].error.code == "MODEL_NOT_FOUND"
    same(answers["1"].response.embeddings[0].values, "hello world")


@check("statuses and codes")
def _():
    missing = raised(grpc.RpcError, stub.Embed, pb.EmbedRequest(model="nobody", inputs=["a"]))
    assert missing.code() == grpc.StatusCode.NOT_FOUND and trailers(missing)["akidb-code"] == "MODEL_NOT_FOUND", missing
    long = raised(grpc.RpcError, stub.Embed, pb.EmbedRequest(inputs=[LONG], truncate=False))
    assert long.code() == grpc.StatusCode.INVALID_ARGUMENT and trailers(long)["akidb-code"] == "INPUT_TOO_LONG", long


@check("an empty list is refused")
def _():
    error = raised(grpc.RpcError, stub.Embed, pb.EmbedRequest(model=MODEL))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and trailers(error)["akidb-code"] == "INVALID_REQUEST", error


@check("ListModels, Health")
def _():
    models = {model.id: model for model in stub.ListModels(pb.ListModelsRequest()).models}
    assert models[MODEL].default and models[MODEL].dimension == DIMENSION and models[MODEL].params > 0, models[MODEL]
    assert stub.Health(pb.HealthRequest()).status == pb.HealthResponse.HEALTHY


@check("grpc.health.v1")
def _():
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@check("reflection")
def _():
    found = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "akidb.embedding.v1.EmbeddingService" in found, list(found)


@check("gzip of messages")
def _():
    answer = stub.Embed(pb.EmbedRequest(model=MODEL, inputs=TEXTS), compression=grpc.Compression.Gzip)
    all_same([one.values for one in answer.embeddings])


@check("with asyncio")
def _():
    import asyncio

    async def ask():
        async with grpc.aio.insecure_channel(GRPC) as channel:
            stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
            return await asyncio.gather(*(stub.Embed(pb.EmbedRequest(model=MODEL, inputs=TEXTS)) for _ in range(32)))

    for answer in asyncio.run(ask()):
        all_same([one.values for one in answer.embeddings])


check.end()
