"""A service that searches an index for every task, and builds it anew when a file appears; it names no version.

index_program.py <chromadb or qdrant_client> <endpoint of OTLP> <the file>
"""

import importlib
import sys
import time
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_agentops

LIBRARY, ENDPOINT, MOMENT = sys.argv[1], sys.argv[2], Path(sys.argv[3])
VECTORS = [[1.0, 0.0], [0.0, 1.0]]


class Chroma:
    """An index that is built anew under its name, as another collection."""

    def __init__(self) -> None:
        import chromadb

        self._client = chromadb.EphemeralClient()

    def build(self, number: int) -> str:
        if number > 1:
            self._client.delete_collection("docs")
        self._docs = self._client.create_collection("docs", embedding_function=None)
        self._docs.add(ids=["a", "b"], embeddings=VECTORS)
        return str(self._docs.id)

    def search(self) -> None:
        self._docs.query([[1.0, 0.1]], n_results=1)


class Qdrant:
    """An index that is built anew behind its alias."""

    def __init__(self) -> None:
        import qdrant_client

        self._models = qdrant_client.models
        self._client = qdrant_client.QdrantClient(":memory:")

    def build(self, number: int) -> str:
        models, name = self._models, f"docs-{number}"
        size = models.VectorParams(size=2, distance=models.Distance.COSINE)
        self._client.create_collection(name, vectors_config=size)
        points = [models.PointStruct(id=key, vector=vector) for key, vector in enumerate(VECTORS)]
        self._client.upsert(name, points)
        alias = models.CreateAlias(collection_name=name, alias_name="docs")
        self._client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
        return name

    def search(self) -> None:
        self._client.query_points("docs", query=[1.0, 0.1], limit=1)


def set_up() -> None:
    """Send spans by the exporter that is installed here."""
    try:
        module = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        exporter = module.OTLPSpanExporter(f"http://{ENDPOINT.partition(' ')[0]}/v1/traces")
    except ModuleNotFoundError:
        module = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        exporter = module.OTLPSpanExporter(f"http://{ENDPOINT.partition(' ')[2]}", insecure=True)
    provider = TracerProvider(resource=Resource({"service.name": "searcher"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    trace.set_tracer_provider(provider)
    importlib.import_module(f"otel_agentops.stores.{LIBRARY}").Instrumentor().instrument()


set_up()
store = {"chromadb": Chroma, "qdrant_client": Qdrant}[LIBRARY]()
print(store.build(1), flush=True)
is_rebuilt = False
while True:
    if not is_rebuilt and MOMENT.exists():
        print(store.build(2), flush=True)
        is_rebuilt = True
    with otel_agentops.task("search"):
        store.search()
    time.sleep(0.05)
