// A shop's support chat in JavaScript: the official instrumentation of the OpenAI client, and nothing of otel-agentops.
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { OpenAIInstrumentation } = require("@opentelemetry/instrumentation-openai");
const { defaultResource, detectResources, envDetector } = require("@opentelemetry/resources");

const provider = new NodeTracerProvider({
  resource: defaultResource().merge(detectResources({ detectors: [envDetector] })), // OTEL_SERVICE_NAME
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())], // OTEL_EXPORTER_OTLP_ENDPOINT
});
provider.register();
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation()] });

const { OpenAI } = require("openai");

async function main() {
  const client = new OpenAI({ maxRetries: 0 }); // OPENAI_BASE_URL, OPENAI_API_KEY
  const messages = [{ role: "user", content: "Where is my order?" }];
  const failures = [];
  for (const model of process.argv.slice(2)) {
    await client.chat.completions.create({ model, messages }).catch((error) => failures.push(error.status));
  }
  console.log(JSON.stringify({ failures }));
  await provider.shutdown();
}

main();
