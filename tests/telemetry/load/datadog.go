package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
)

// MessagePack, as much as a trace payload needs.
type msgpack struct{ bytes.Buffer }

func (m *msgpack) head(short byte, long byte, count int) {
	if count < 16 {
		m.WriteByte(short | byte(count))
		return
	}
	m.WriteByte(long)
	_ = binary.Write(m, binary.BigEndian, uint16(count))
}

func (m *msgpack) array(count int) { m.head(0x90, 0xdc, count) }
func (m *msgpack) table(count int) { m.head(0x80, 0xde, count) }

func (m *msgpack) text(text string) {
	m.WriteByte(0xd9)
	m.WriteByte(byte(len(text)))
	m.WriteString(text)
}

func (m *msgpack) number(value uint32) {
	m.WriteByte(0xce)
	_ = binary.Write(m, binary.BigEndian, value)
}

func (m *msgpack) float(value float64) {
	m.WriteByte(0xcb)
	_ = binary.Write(m, binary.BigEndian, math.Float64bits(value))
}

// A 64-bit number that is replaced later.
func (m *msgpack) marked(mark [8]byte) {
	m.WriteByte(0xcf)
	m.Write(mark[:])
}

func (m *msgpack) parent(span int) {
	if span%spansPerTrace == 0 {
		m.number(0)
	} else {
		m.marked(markParent)
	}
}

// Array of the string table and of traces, each span an array of twelve.
func v05(spans int) []byte {
	var body msgpack
	known := map[string]uint32{"": 0}
	table := []string{""}
	index := func(text string) uint32 {
		if _, ok := known[text]; !ok {
			known[text] = uint32(len(table))
			table = append(table, text)
		}
		return known[text]
	}
	body.array(spans / spansPerTrace)
	for i := range spans {
		if i%spansPerTrace == 0 {
			body.array(spansPerTrace)
		}
		body.array(12)
		body.number(index(serviceOf(i)))
		body.number(index(nameOf(i)))
		body.number(index("GET /orders/{id}"))
		body.marked(markTrace)
		body.marked(markSpan)
		body.parent(i)
		body.marked(markStart)
		body.number(duration)
		body.number(0)
		body.table(len(tags))
		for _, tag := range tags {
			body.number(index(tag[0]))
			body.number(index(tag[1]))
		}
		body.table(len(numbers))
		for _, one := range numbers {
			body.number(index(one.key))
			body.float(one.value)
		}
		body.number(index("web"))
	}
	var whole msgpack
	whole.array(2)
	whole.array(len(table))
	for _, text := range table {
		whole.text(text)
	}
	whole.Write(body.Bytes())
	return whole.Bytes()
}

// Array of traces, each span a map.
func v04(spans int) []byte {
	var body msgpack
	body.array(spans / spansPerTrace)
	for i := range spans {
		if i%spansPerTrace == 0 {
			body.array(spansPerTrace)
		}
		body.table(12)
		field := func(key string, write func()) {
			body.text(key)
			write()
		}
		field("service", func() { body.text(serviceOf(i)) })
		field("name", func() { body.text(nameOf(i)) })
		field("resource", func() { body.text("GET /orders/{id}") })
		field("trace_id", func() { body.marked(markTrace) })
		field("span_id", func() { body.marked(markSpan) })
		field("parent_id", func() { body.parent(i) })
		field("start", func() { body.marked(markStart) })
		field("duration", func() { body.number(duration) })
		field("error", func() { body.number(0) })
		field("type", func() { body.text("web") })
		field("meta", func() {
			body.table(len(tags))
			for _, tag := range tags {
				field(tag[0], func() { body.text(tag[1]) })
			}
		})
		field("metrics", func() {
			body.table(len(numbers))
			for _, one := range numbers {
				field(one.key, func() { body.float(one.value) })
			}
		})
	}
	return body.Bytes()
}

// A connection to the agent's port, kept open.
type datadog struct {
	connection net.Conn
	answers    *bufio.Reader
	head       []byte
	payload    *payload
}

func newDatadog(o order, version string) (sender, error) {
	to, err := url.Parse(o.to)
	if err != nil {
		return nil, err
	}
	connection, err := net.Dial("tcp", to.Host)
	if err != nil {
		return nil, err
	}
	body := v05(o.spans)
	if version == "v0.4" {
		body = v04(o.spans)
	}
	head := fmt.Sprintf("PUT /%s/traces HTTP/1.1\r\nHost: %s\r\nContent-Type: application/msgpack\r\n"+
		"X-Datadog-Trace-Count: %d\r\nDatadog-Meta-Lang: go\r\nDatadog-Meta-Tracer-Version: 1.0.0\r\n"+
		"Content-Length: %d\r\n\r\n", version, to.Host, o.spans/spansPerTrace, len(body))
	return &datadog{connection, bufio.NewReader(connection), []byte(head), newPayload(body, binary.BigEndian)}, nil
}

func (d *datadog) size() int { return len(d.payload.body) }

func (d *datadog) send() error {
	d.payload.renew()
	parts := net.Buffers{d.head, d.payload.body}
	if _, err := parts.WriteTo(d.connection); err != nil {
		return err
	}
	answer, err := http.ReadResponse(d.answers, nil)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: %.200s", errRefused, answer.Status, text)
	}
	return nil
}

func (d *datadog) close() { _ = d.connection.Close() }
