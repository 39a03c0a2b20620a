package main

import (
	"fmt"
	"net"
	"time"
)

// How many packets go out between two looks at the clock.
const burst = 16

// Sends packets of one metric each, as clients without a buffer do, at a steady
// rate. More than one is on its way at a time only as far as the rate asks for it.
func packets(o order) (result, error) {
	connection, err := net.Dial("udp", o.to)
	if err != nil {
		return result{}, err
	}
	defer connection.Close()
	var lines [][]byte
	for i := range 64 {
		line := fmt.Sprintf("bench.requests.%d:1|c|#env:bench,service:service-%d,shop:berlin\n", i%8, i%services)
		lines = append(lines, []byte(line))
	}
	var sent, bytes, refused int64
	since := time.Now()
	for {
		passed := time.Since(since)
		if passed >= o.length {
			break
		}
		due := int64(passed.Seconds() * float64(o.rate))
		if sent >= due {
			time.Sleep(time.Duration(float64(burst) / float64(o.rate) * float64(time.Second)))
			continue
		}
		for range min(due-sent, burst) {
			line := lines[sent%int64(len(lines))]
			if _, err := connection.Write(line); err != nil {
				return result{}, err
			}
			sent++
			bytes += int64(len(line))
		}
	}
	took := time.Since(since).Seconds()
	return result{Packets: sent, Bytes: bytes, Refused: refused, Seconds: took, PerSecond: float64(sent) / took}, nil
}
