package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	spansPerTrace = 10
	services      = 10
	names         = 20
	duration      = 1_500_000 // ns
)

// Stand for what is replaced before each request. Eight bytes that nothing else
// in a payload has.
var (
	markTrace  = [8]byte{0xa5, 0x5a, 0xf1, 0x01, 0xa5, 0x5a, 0xf1, 0x01}
	markSpan   = [8]byte{0xa5, 0x5a, 0xf1, 0x02, 0xa5, 0x5a, 0xf1, 0x02}
	markParent = [8]byte{0xa5, 0x5a, 0xf1, 0x03, 0xa5, 0x5a, 0xf1, 0x03}
	markStart  = [8]byte{0xa5, 0x5a, 0xf1, 0x04, 0xa5, 0x5a, 0xf1, 0x04}
	markEnd    = [8]byte{0xa5, 0x5a, 0xf1, 0x05, 0xa5, 0x5a, 0xf1, 0x05}
)

// What every span of the load has besides its service, name and ids.
var tags = [][2]string{
	{"env", "bench"}, {"version", "1.2.3"}, {"span.kind", "server"}, {"component", "net/http"},
	{"http.method", "GET"}, {"http.url", "http://shop.example/orders/17?full=true"},
	{"http.status_code", "200"}, {"http.useragent", "Mozilla/5.0 (X11; Linux x86_64)"},
}

var numbers = []struct {
	key   string
	value float64
}{{"_sampling_priority_v1", 1}, {"_dd.top_level", 1}, {"queue.wait", 0.25}}

func serviceOf(span int) string { return fmt.Sprintf("service-%d", span/spansPerTrace%services) }
func nameOf(span int) string    { return fmt.Sprintf("operation.%d", span%names) }

// A payload and where in it the ids and times are.
type payload struct {
	body                            []byte
	order                           binary.ByteOrder
	trace, span, parent, start, end []int
	random                          *rand.Rand
}

func newPayload(body []byte, order binary.ByteOrder) *payload {
	return &payload{
		body: body, order: order,
		trace: find(body, markTrace), span: find(body, markSpan), parent: find(body, markParent),
		start: find(body, markStart), end: find(body, markEnd),
		random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
}

func find(body []byte, mark [8]byte) []int {
	var places []int
	for from := 0; ; {
		at := bytes.Index(body[from:], mark[:])
		if at < 0 {
			return places
		}
		places = append(places, from+at)
		from += at + len(mark)
	}
}

// Makes every span one that was never sent.
func (p *payload) renew() {
	now := uint64(time.Now().UnixNano()) - duration
	var trace, root uint64
	children := 0
	for i, at := range p.span {
		// The top bit is kept clear, as clients do.
		id := p.random.Uint64()>>1 | 1
		if i%spansPerTrace == 0 {
			trace, root = p.random.Uint64()>>1|1, id
		} else {
			p.order.PutUint64(p.body[p.parent[children]:], root)
			children++
		}
		p.order.PutUint64(p.body[p.trace[i]:], trace)
		p.order.PutUint64(p.body[at:], id)
		p.order.PutUint64(p.body[p.start[i]:], now)
		if len(p.end) > 0 {
			p.order.PutUint64(p.body[p.end[i]:], now+duration)
		}
	}
}
