package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Traces makes a span of each request. A nil *Traces does nothing.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTraces exports spans by OTLP over HTTP to endpoint, or where the OTEL_EXPORTER_OTLP_* variables say;
// nil when neither says anything, and then nothing is loaded.
func NewTraces(ctx context.Context, endpoint, version string, getenv func(string) string) (*Traces, error) {
	if endpoint == "" && getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, nil
	}
	var options []otlptracehttp.Option
	if endpoint != "" { // as for OTEL_EXPORTER_OTLP_ENDPOINT, the signal's path is ours to add
		options = append(options, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	res, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "treaty"), attribute.String("service.version", version)))
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	return &Traces{provider: p, tracer: p.Tracer("github.com/treatyfed/treaty/server")}, nil
}

// Span is one request's; a nil *Span does nothing.
type Span struct{ span trace.Span }

// Begin starts the span of a request, as a child of the caller's by its W3C traceparent header. path is the
// request's as it may be shown.
func (t *Traces) Begin(r *http.Request, path string) (context.Context, *Span) {
	if t == nil {
		return r.Context(), nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.Host), attribute.String("url.path", path)))
	return ctx, &Span{span}
}

// End names the span by what was asked and closes it.
func (s *Span) End(surface, operation, code, requestID string, status int) {
	if s == nil {
		return
	}
	if operation != "" {
		s.span.SetName(surface + " " + operation)
	}
	s.span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("treaty.surface", surface),
		attribute.String("treaty.operation", operation), attribute.String("treaty.request_id", requestID))
	if code != "" {
		s.span.SetAttributes(attribute.String("error.type", code))
	}
	if status >= 500 {
		s.span.SetStatus(codes.Error, code)
	}
	s.span.End()
}

// ID is the trace's id for the log, "" when there is none.
func (s *Span) ID() string {
	if s == nil {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Close sends what is left.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
