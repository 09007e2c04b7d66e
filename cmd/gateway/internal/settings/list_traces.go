package settings

func traces() Group {
	return Group{
		Title: "Traces",
		Intro: "Without an address, the gateway sends no traces. The names are those of OpenTelemetry. See [Traces](operations.md#traces).",
		Settings: []Setting{
			{
				Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Kind: URL, Unset: "no traces", Values: "`https://…` or `http://…`", Example: "http://127.0.0.1:4318",
				Meaning: "The OpenTelemetry collector that receives traces, by OTLP over HTTP below `/v1/traces`.", ReadBy: binary(),
			},
			{
				Name: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Kind: URL, Unset: "`/v1/traces` below `OTEL_EXPORTER_OTLP_ENDPOINT`", Values: "`https://…` or `http://…`",
				Example: "https://traces.example.org/v1/traces", Meaning: "The whole address for traces, instead.", ReadBy: binary(),
			},
			{
				Name: "OTEL_EXPORTER_OTLP_HEADERS", Kind: Secret, Unset: "none", Values: "`name=value`, separated by commas; values percent-encoded",
				Meaning: "Headers for the collector, such as its credentials.", ReadBy: binary(),
			},
			{
				Name: "OTEL_EXPORTER_OTLP_CERTIFICATE", Kind: File, Unset: "the authorities of the system", Example: "secrets/collector-ca.pem",
				Meaning: "The certificate authority of the collector (PEM).", ReadBy: binary(),
			},
			{
				Name: "OTEL_EXPORTER_OTLP_COMPRESSION", Kind: Choice, Meaning: "How traces are compressed.", ReadBy: binary(),
			},
			{
				Name: "OTEL_EXPORTER_OTLP_TIMEOUT", Kind: Number, Meaning: "How many milliseconds the collector may take to accept a batch.", ReadBy: binary(),
			},
			{
				Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Kind: Choice, Meaning: "How traces are encoded. Only `http/protobuf` is supported; `grpc` stops the start.", ReadBy: binary(),
			},
			{
				Name: "OTEL_TRACES_SAMPLER", Kind: Choice,
				Meaning: "Which requests are traced. With `parentbased_…`, a client that sends `traceparent` decides for its requests.", ReadBy: binary(),
			},
			{
				Name: "OTEL_TRACES_SAMPLER_ARG", Kind: Number, Default: "1", Values: "a share from 0 to 1", Example: "0.1",
				Meaning: "The share of requests that are traced.", Needs: "OTEL_TRACES_SAMPLER=traceidratio|parentbased_traceidratio", ReadBy: binary(),
			},
			{
				Name: "OTEL_SERVICE_NAME", Kind: Text, Meaning: "The name of this service in traces.", ReadBy: binary(),
			},
			{
				Name: "OTEL_RESOURCE_ATTRIBUTES", Kind: Text, Unset: "none", Values: "`name=value`, separated by commas; values percent-encoded",
				Example: "deployment.environment.name=staging", Meaning: "More attributes of this process, in all traces.", ReadBy: binary(),
			},
			{
				Name: "OTEL_TRACES_EXPORTER", Kind: Choice, Meaning: "`none` sends no traces, whatever the address is.", ReadBy: binary(),
			},
			{
				Name: "OTEL_SDK_DISABLED", Kind: Boolean, Meaning: "`true` does the same.", ReadBy: binary(),
			},
		},
	}
}
