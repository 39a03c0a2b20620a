// An app with the OpenTelemetry SDK for Go in its default settings; protocol and
// address come from the standard environment variables. Prints, as JSON, the
// spans that it sent.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func exporter(ctx context.Context) (*otlptrace.Exporter, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "http/protobuf" {
		return otlptracehttp.New(ctx)
	}
	return otlptracegrpc.New(ctx)
}

func work(ctx context.Context) []trace.Span {
	tracer := otel.Tracer("shop.stock", trace.WithInstrumentationVersion("0.9"))
	ctx, server := tracer.Start(ctx, "GET /stock", trace.WithSpanKind(trace.SpanKindServer))
	defer server.End()
	server.SetAttributes(
		attribute.String("http.request.method", "GET"),
		attribute.Int("http.response.status_code", 200),
		attribute.Float64("ratio", 0.5),
		attribute.Bool("cached", true),
		attribute.StringSlice("items", []string{"a", "b"}),
	)
	_, client := tracer.Start(ctx, "SELECT stock", trace.WithSpanKind(trace.SpanKindClient))
	defer client.End()
	client.RecordError(errors.New("connection refused"))
	client.SetStatus(codes.Error, "refused")
	return []trace.Span{server, client}
}

func run() error {
	ctx := context.Background()
	sender, err := exporter(ctx)
	if err != nil {
		return err
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(sender))
	otel.SetTracerProvider(provider)
	if len(os.Args) > 1 {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": os.Args[1]})
	}
	spans := work(ctx)
	if err := provider.Shutdown(ctx); err != nil {
		return err
	}
	told := []map[string]any{}
	for _, span := range spans {
		ended := span.(sdk.ReadOnlySpan)
		var parent any
		if ended.Parent().HasSpanID() {
			parent = ended.Parent().SpanID().String()
		}
		attributes := map[string]any{}
		for _, one := range ended.Attributes() {
			attributes[string(one.Key)] = one.Value.AsInterface()
		}
		told = append(told, map[string]any{
			"trace_id":       ended.SpanContext().TraceID().String(),
			"span_id":        ended.SpanContext().SpanID().String(),
			"parent_id":      parent,
			"name":           ended.Name(),
			"kind":           ended.SpanKind().String(),
			"start_ns":       fmt.Sprint(ended.StartTime().UnixNano()),
			"duration_ns":    ended.EndTime().UnixNano() - ended.StartTime().UnixNano(),
			"status":         strings.ToLower(ended.Status().Code.String()),
			"status_message": ended.Status().Description,
			"attributes":     attributes,
		})
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
