package tracing

import (
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// The variables of OpenTelemetry that have an effect (OpenTelemetry Environment Variable
// Specification and OpenTelemetry Protocol Exporter). Its libraries read some more of the
// environment, such as OTEL_BSP_SCHEDULE_DELAY, whose defaults suit most.
const (
	variableEndpoint    = "OTEL_EXPORTER_OTLP_ENDPOINT"
	variableTraces      = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	variableHeaders     = "OTEL_EXPORTER_OTLP_HEADERS"
	variableCertificate = "OTEL_EXPORTER_OTLP_CERTIFICATE"
	variableAttributes  = "OTEL_RESOURCE_ATTRIBUTES"
	variableArgument    = "OTEL_TRACES_SAMPLER_ARG"
)

// tracesPath is where a collector receives traces, below its address.
const tracesPath = "/v1/traces"

// maxTimeout bounds a call of the collector, in milliseconds.
const maxTimeout = 600_000

// Settings say where traces go.
type Settings struct {
	URL        *url.URL                 // of the collector's receiver of traces; nil for none
	Headers    map[string]secret.String // for the collector
	Roots      *x509.CertPool           // certificate authorities of the collector; nil for the system's
	Timeout    time.Duration            // of one call of the collector
	Compress   bool                     // with gzip
	Service    string                   // the name of this service
	Attributes []attribute.KeyValue     // of this process, in each trace
	Sampler    sdktrace.Sampler
}

// Load loads the variables of OpenTelemetry. It deviates from its specification in one
// point: without an address, no traces are sent.
func (s *Settings) Load(r setting.Reader) {
	*s = Settings{
		URL:        receiver(r),
		Headers:    headers(r),
		Roots:      roots(r),
		Timeout:    time.Duration(r.Int("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 1, maxTimeout)) * time.Millisecond,
		Compress:   r.OneOf("OTEL_EXPORTER_OTLP_COMPRESSION", "none", "gzip") == "gzip",
		Service:    r.String("OTEL_SERVICE_NAME", "voiceassist-gateway"),
		Attributes: attributes(r),
		Sampler:    sampler(r),
	}
	r.OneOf("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	off := r.OneOf("OTEL_TRACES_EXPORTER", "otlp", "none") == "none"
	if r.Bool("OTEL_SDK_DISABLED", false) || off {
		s.URL = nil
	}
}

// receiver returns the address for traces, or nil if there is none.
func receiver(r setting.Reader) *url.URL {
	all := r.URL(variableEndpoint, "https", "http")
	if u := r.URL(variableTraces, "https", "http"); u != nil {
		return u
	}
	if all != nil {
		all.Path += tracesPath
	}
	return all
}

var errList = errors.New("not a list")

// list parses a list such as "name=value,other=value", whose values are percent-encoded.
// It calls add for each item, and returns an error that quotes nothing.
func list(text string, add func(name, value string)) error {
	for item := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return errList
		}
		add(name, value)
	}
	return nil
}

// headers returns the headers for the collector, such as its credentials.
func headers(r setting.Reader) map[string]secret.String {
	found := map[string]secret.String{}
	if err := list(r.Secret(variableHeaders).Reveal(), func(name, value string) { found[name] = secret.String(value) }); err != nil {
		r.RefuseSecret(variableHeaders, "is no list", "headers such as api-key=secret, separated by commas, with percent-encoded values")
	}
	return found
}

func attributes(r setting.Reader) (found []attribute.KeyValue) {
	text := r.String(variableAttributes, "")
	if err := list(text, func(name, value string) { found = append(found, attribute.String(name, value)) }); err != nil {
		r.Refuse(variableAttributes, text, "attributes such as deployment.environment.name=staging, separated by commas, with percent-encoded values")
	}
	return found
}

func roots(r setting.Reader) *x509.CertPool {
	path := r.String(variableCertificate, "")
	if path == "" {
		return nil
	}
	var pool *x509.CertPool
	text, err := os.ReadFile(path)
	if err == nil {
		pool, err = pemtext.Authorities(text)
	}
	if err != nil {
		r.Refuse(variableCertificate, path, "a file with certificates in PEM ("+err.Error()+")")
	}
	return pool
}

// sampler returns what chooses the requests that are traced.
func sampler(r setting.Reader) sdktrace.Sampler {
	name := r.OneOf("OTEL_TRACES_SAMPLER", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
		"always_on", "always_off", "traceidratio")
	text := r.String(variableArgument, "1")
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || share < 0 || share > 1 {
		r.Refuse(variableArgument, text, "a share from 0 to 1, such as 0.1")
		share = 1
	}
	name, parent := strings.CutPrefix(name, "parentbased_")
	s := sdktrace.AlwaysSample()
	switch name {
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio":
		s = sdktrace.TraceIDRatioBased(share)
	}
	if parent {
		s = sdktrace.ParentBased(s)
	}
	return s
}
