"""The operator's resources hold the config that a collector accepts, in the form that their schema asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from test_overlay_merge import CONFIGS, parse_yaml, print_config
from typer.testing import CliRunner

from otel_agentops._yaml import InputError
from otel_agentops.collector import kubernetes, shipped
from otel_agentops.collector.cli import app
from otel_agentops.collector.document import Document
from stack import BASE, OVERLAY

TEMPLATE = (shipped.find_home() / shipped.KUBERNETES).read_text()


def documents(*paths: Path) -> list[Document]:
    return [shipped.read_config(path) for path in paths]


def both(text: str) -> list[Any]:
    return list(YAML(typ="safe").load_all(text))


def test_kubernetes_template_changes_only_in_its_config() -> None:
    text = kubernetes.build_resources(TEMPLATE, documents(BASE, OVERLAY), {})
    collector, instrumentation = both(text)
    empty, same = both(TEMPLATE)
    assert instrumentation == same
    assert {**collector, "spec": {**collector["spec"], "config": {}}} == empty
    assert [line for line in TEMPLATE.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith("#")
    ]
    assert (collector["apiVersion"], collector["kind"]) == ("opentelemetry.io/v1beta1", "OpenTelemetryCollector")
    assert (same["apiVersion"], same["kind"]) == ("opentelemetry.io/v1alpha1", "Instrumentation")


def test_kubernetes_port_and_sampler_fit_the_overlay() -> None:
    collector, instrumentation = both(TEMPLATE)
    environ = {one["name"]: one.get("value") for one in collector["spec"]["env"]}
    assert environ["OTEL_AGENTOPS_PROM_ENDPOINT"].rpartition(":")[2] == str(collector["spec"]["ports"][0]["port"])
    assert instrumentation["spec"]["sampler"] == {"type": "parentbased_always_on"}
    service = f"http://{collector['metadata']['name']}-collector:4318"
    assert instrumentation["spec"]["exporter"] == {"endpoint": service}


@pytest.mark.collector
@pytest.mark.parametrize(("receiver", "base"), [("otlp", BASE), ("otlp/in,otlp/b", CONFIGS / "two_receivers.yaml")])
def test_kubernetes_config_equals_that_of_the_files(otelcol: Path, receiver: str, base: Path, tmp_path: Path) -> None:
    text = kubernetes.build_resources(TEMPLATE, documents(base, OVERLAY), {"OTEL_AGENTOPS_RECEIVER": receiver})
    config = both(text)[0]["spec"]["config"]
    one = tmp_path / "one.yaml"
    YAML().dump(config, one)
    assert parse_yaml(print_config(otelcol, receiver, one)) == parse_yaml(
        print_config(otelcol, receiver, base, OVERLAY)
    )
    # v1beta1 has arrays of strings there; a reference to the environment is refused when the resource is applied
    for pipeline in config["service"]["pipelines"].values():
        for key in ("receivers", "processors", "exporters"):
            assert all(isinstance(entry, str) for entry in pipeline.get(key, ["none"]))
            assert not isinstance(pipeline.get(key), str)
    assert config["exporters"]["prometheus/otel_agentops"]["endpoint"].startswith("${env:"), "others stay references"


def test_receivers_that_are_not_a_list_are_refused() -> None:
    with pytest.raises(InputError) as error:
        kubernetes.build_resources(TEMPLATE, documents(BASE, OVERLAY), {"OTEL_AGENTOPS_RECEIVERS": "otlp"})
    assert str(error.value).endswith(": receivers of traces/otel_agentops are otlp; the operator needs a list of names")


def test_receiver_on_loopback_is_reported() -> None:
    said = list(
        kubernetes.find_unreachable([Document.read_file(BASE, "base.yaml")], {"OTLP_GRPC_ENDPOINT": "0.0.0.0:4317"})
    )
    assert said == ["base.yaml:3: otlp listens on 127.0.0.1:4318, where no other pod comes to; write 0.0.0.0 there"]


def test_render_command_writes_kubernetes_resources(tmp_path: Path) -> None:
    out = tmp_path / "k8s.yaml"
    done = CliRunner().invoke(app, ["render", str(BASE), "--with", "guard", "--kubernetes", "--out", str(out)])
    assert done.exit_code == 0
    assert done.output.count("where no other pod comes to") == 2
    assert "transform/otel_agentops_guard" in both(out.read_text())[0]["spec"]["config"]["processors"]
