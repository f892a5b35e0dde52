"""Attempts in every retry mode, errors by the service's code, and calls of other services that pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from bedrock_subject import KEYS, call
from both import done, drained
from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError
from sent_content import ContentSink

from otel_agentops.clients.bedrock._botocore import parse_aws_retry_after
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Fail, FakeProvider, Malformed, Status

HI: Any = {"modelId": "m-x", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
ATTEMPTS = "otel_agentops.attempt."


@pytest.mark.parametrize(
    ("mode", "refused"), [("standard", [429, 503]), ("legacy", [429]), ("adaptive", [503])], ids=lambda each: str(each)
)
async def test_every_attempt_has_its_status(
    provider: FakeProvider, seen: Capture, make: Any, mode: str, refused: list[int]
) -> None:
    provider.script(*(Status(status, retry_after=0.01) for status in refused))
    result = await done(call(make(retries=2, mode=mode), "converse", **HI))
    assert result["ResponseMetadata"]["RetryAttempts"] == len(refused)
    (found,) = seen.spans
    assert {name: value for name, value in found["attributes"].items() if name.startswith(ATTEMPTS)} == {
        f"{ATTEMPTS}count": len(refused) + 1,
        f"{ATTEMPTS}statuses": [*refused, 200],
        f"{ATTEMPTS}retry_after": [0.01 for _ in refused],
    }


async def test_content_of_each_attempt_is_what_was_sent(provider: FakeProvider, sink: ContentSink, make: Any) -> None:
    client = make(retries=1)
    provider.script(Status(503, retry_after=0.01))
    await done(call(client, "converse", **HI))
    body = b'{ "prompt" : "hi" }'
    await drained((await done(call(client, "invoke_model_with_response_stream", modelId="m-x", body=body)))["body"])
    assert sink.contents[2:] == [body]
    sink.assert_received(provider, 3)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-amz-retry-after": "1500", "retry-after": "3"}, 1.5),
        ({"x-amz-retry-after": "soon", "retry-after": "3"}, 3.0),
        ({}, None),
    ],
)
def test_retry_after_header_is_parsed(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_aws_retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, "botocore.errorfactory.ValidationException", "ValidationException"),
        (403, "botocore.errorfactory.AccessDeniedException", "AccessDeniedException"),
        (429, "botocore.errorfactory.ThrottlingException", "ThrottlingException"),
        (401, "UnrecognizedClientException", "UnrecognizedClientException"),  # which has no class: the code says more
    ],
)
async def test_error_type_is_the_code_of_the_service(
    provider: FakeProvider, seen: Capture, bedrock: Any, status: int, error: str, code: str
) -> None:
    provider.script(Status(status))
    with pytest.raises(ClientError) as caught:
        await done(call(bedrock, "converse", **HI))
    assert caught.value.response["Error"]["Code"] == code
    (found,) = seen.spans
    assert (found["attributes"]["error.type"], found["status"]) == (error, "ERROR")
    assert found["attributes"][f"{ATTEMPTS}statuses"] == [status]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Fail(after=2), "modelStreamErrorException"),
        (Malformed(after=2), "botocore.eventstream.ChecksumMismatch"),
    ],
)
async def test_broken_stream_has_its_error_type(
    provider: FakeProvider, seen: Capture, bedrock: Any, step: Any, error: str
) -> None:
    provider.script(step)
    stream = (await done(call(bedrock, "converse_stream", **HI)))["stream"]
    with pytest.raises(Exception):  # noqa: B017  one of two libraries'
        await drained(stream)
    (found,) = seen.spans
    assert (found["attributes"]["error.type"], found["status"]) == (error, "ERROR")


async def test_call_that_is_never_sent_makes_no_span(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    with pytest.raises(ParamValidationError):
        await done(call(bedrock, "converse", modelId="m-x", messages="hi"))
    assert seen.spans == []


def test_missing_credentials_make_no_attempt(
    provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was signed, so nothing was sent."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    client = boto3.Session(region_name="eu-west-1").client("bedrock-runtime", endpoint_url=provider.url)
    with pytest.raises(NoCredentialsError):
        client.converse(**HI)
    assert seen.spans == []


# -- other services


class _Table(BaseHTTPRequestHandler):
    """As much of DynamoDB and STS as it takes."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        token = self.headers.get("x-amz-target", "")
        self.send_response(200)
        body = b'{"TableNames": []}' if "DynamoDB" in token else _ROLE
        self.send_header("content-type", "application/x-amz-json-1.0" if "DynamoDB" in token else "text/xml")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


_ROLE = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@contextmanager
def another_service() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Table)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_other_aws_services_make_no_span(seen: Capture) -> None:
    with another_service() as url:
        assert boto3.client("dynamodb", endpoint_url=url, **KEYS).list_tables()["TableNames"] == []
    assert seen.spans == []


def test_credential_call_is_not_an_attempt(
    provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A role is assumed while the request is being signed: through the same methods, for another service."""
    with another_service() as url:
        config = tmp_path / "config"
        config.write_text(
            "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\nregion = eu-west-1\n"
            "[profile q]\naws_access_key_id = k\naws_secret_access_key = s\nregion = eu-west-1\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        session = boto3.Session(profile_name="p")
        client = session.client("bedrock-runtime", endpoint_url=provider.url)
        client.converse(**HI)
    assert provider.requests[-1].headers["x-amz-security-token"] == "t"
    (found,) = seen.spans
    assert found["attributes"][f"{ATTEMPTS}statuses"] == [200]
