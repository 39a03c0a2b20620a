package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
)

// Protocol Buffers, as much as a trace request needs.
type proto struct{ bytes.Buffer }

func (p *proto) number(field int, value uint64) {
	p.varint(uint64(field) << 3)
	p.varint(value)
}

func (p *proto) varint(value uint64) { p.Write(binary.AppendUvarint(nil, value)) }

func (p *proto) block(field int, body []byte) {
	p.varint(uint64(field)<<3 | 2)
	p.varint(uint64(len(body)))
	p.Write(body)
}

func (p *proto) message(field int, fill func(*proto)) {
	var inner proto
	fill(&inner)
	p.block(field, inner.Bytes())
}

// A number of eight bytes that is replaced later.
func (p *proto) marked(field int, mark [8]byte) {
	p.varint(uint64(field)<<3 | 1)
	p.Write(mark[:])
}

func (p *proto) attribute(field int, key string, value func(*proto)) {
	p.message(field, func(pair *proto) {
		pair.block(1, []byte(key))
		pair.message(2, value)
	})
}

func text(value string) func(*proto) {
	return func(p *proto) { p.block(1, []byte(value)) }
}

func float(value float64) func(*proto) {
	return func(p *proto) {
		p.varint(4<<3 | 1)
		_ = binary.Write(p, binary.LittleEndian, math.Float64bits(value))
	}
}

// An ExportTraceServiceRequest: a resource for each trace.
func otlp(spans int) []byte {
	var request proto
	for trace := range spans / spansPerTrace {
		request.message(1, func(resource *proto) {
			resource.message(1, func(attributes *proto) {
				attributes.attribute(1, "service.name", text(serviceOf(trace*spansPerTrace)))
				attributes.attribute(1, "service.version", text("1.2.3"))
				attributes.attribute(1, "deployment.environment.name", text("bench"))
				attributes.attribute(1, "telemetry.sdk.language", text("go"))
			})
			resource.message(2, func(scope *proto) {
				scope.message(1, func(named *proto) { named.block(1, []byte("bench")) })
				for i := range spansPerTrace {
					scope.message(2, func(span *proto) { fillSpan(span, trace*spansPerTrace+i) })
				}
			})
		})
	}
	return request.Bytes()
}

func fillSpan(span *proto, i int) {
	span.block(1, append(make([]byte, 8), markTrace[:]...))
	span.block(2, markSpan[:])
	if i%spansPerTrace != 0 {
		span.block(4, markParent[:])
	}
	span.block(5, []byte(nameOf(i)))
	span.number(6, 2)
	span.marked(7, markStart)
	span.marked(8, markEnd)
	// Environment and version are on the resource here.
	for _, tag := range tags[2:] {
		span.attribute(9, tag[0], text(tag[1]))
	}
	for _, one := range numbers {
		span.attribute(9, one.key, float(one.value))
	}
}

// A connection of its own that speaks HTTP/2 without TLS, as gRPC does.
type grpc struct {
	client  *http.Client
	url     string
	payload *payload
}

func newGRPC(o order) (sender, error) {
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	message := otlp(o.spans)
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return &grpc{
		client:  &http.Client{Transport: &http.Transport{Protocols: &only}},
		url:     "http://" + o.to + "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
		payload: newPayload(append(frame, message...), binary.LittleEndian),
	}, nil
}

func (g *grpc) size() int { return len(g.payload.body) }

func (g *grpc) send() error {
	g.payload.renew()
	request, err := http.NewRequest(http.MethodPost, g.url, bytes.NewReader(g.payload.body))
	if err != nil {
		return err
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	answer, err := g.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	status := answer.Trailer.Get("grpc-status")
	if status == "" {
		status = answer.Header.Get("grpc-status")
	}
	if answer.StatusCode != http.StatusOK || status != "0" {
		return fmt.Errorf("%w: %s, grpc-status %q", errRefused, answer.Status, status)
	}
	return nil
}

func (g *grpc) close() { g.client.CloseIdleConnections() }
