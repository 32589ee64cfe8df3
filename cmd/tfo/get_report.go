package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// report tells of each connection: as text for people on stderr, or as a
// JSON object a line on stdout.
func (g *getter) report(hops []*exchange) {
	for _, x := range hops {
		switch {
		case g.flags.json:
			writeJSON(g.stdout, x.record())
		case g.flags.silent, x.response == nil: // then there is an error, which says more
		default:
			io.WriteString(g.stderr, x.text(paint(g.stderr)))
			for _, line := range x.hints(g.flags) {
				fmt.Fprintf(g.stderr, "  %s\n", line)
			}
		}
	}
}

// text tells of an answered exchange in three lines.
func (x *exchange) text(p palette) string {
	var b strings.Builder
	b.WriteString(p.bold(x.method + " " + printable(x.url.Redacted())))
	fmt.Fprintf(&b, "  from %s  %s, %s, %s\n", x.remote, status(x.response), size(x.bytes), protocol(x))
	for _, t := range []struct {
		what string
		at   time.Duration
		show bool
	}{
		{"name", x.name, x.name > 0},
		{"connect", x.connect, true},
		{"TLS", x.tls, x.tls > 0},
		{"first byte", x.firstByte, x.firstByte > 0},
		{"total", x.total, true},
	} {
		if t.show {
			fmt.Fprintf(&b, "  %s %s", t.what, p.bold(millis(t.at)))
		}
	}
	b.WriteString(" ms\n")
	sentence := x.outcome.String()
	if x.outcome.Saved() {
		sentence = p.green(sentence)
	}
	fmt.Fprintf(&b, "  %s\n", sentence)
	return b.String()
}

// hints are what the person can do to get more out of Fast Open.
func (x *exchange) hints(f *getFlags) []string {
	o := x.outcome
	switch {
	case x.plain:
	case o.Status == tfo.CookieRequested && o.Cause == tfo.NoCause:
		if f.own.stack != nil {
			return []string{"If the server granted one, the next request to it in this run can be fast."}
		}
		return []string{"If the server granted one, the next request to it can be fast: run this again."}
	case o.Cause == tfo.Refused:
		return []string{"What rides in a SYN can reach the server twice: if that does no harm here, use --idempotent."}
	case o.Cause == tfo.Disabled && f.own.stack == nil:
		return disabledHint()
	case o.Sent > 0 && o.Sent < o.Wanted && x.secure() && f.postQuantum:
		return []string{fmt.Sprintf("The TLS hello has %d bytes and the SYN had room for %d: without --post-quantum it fits.", o.Wanted, o.Sent)}
	case o.Sent > 0 && o.Sent < o.Wanted && !x.secure():
		return []string{fmt.Sprintf("The request has %d bytes and the SYN had room for %d: a shorter one would save a round trip.", o.Wanted, o.Sent)}
	}
	return nil
}

// disabledHint tells how to let clients use Fast Open.
func disabledHint() []string {
	bits, err := kernel.FastOpen()
	if err != nil || bits.Client() {
		return nil
	}
	return []string{"Turn it on with: " + asRoot(bits.TurnOn(kernel.ClientBit))}
}

// A record is the JSON object for a connection. The times are milliseconds
// since the request began.
type record struct {
	Event       string      `json:"event"` // "connection"
	Way         string      `json:"way,omitempty"`
	Round       int         `json:"round,omitempty"`
	URL         string      `json:"url"`
	Method      string      `json:"method"`
	Status      int         `json:"status,omitempty"`
	Proto       string      `json:"proto,omitempty"`
	TLS         string      `json:"tls,omitempty"`
	Bytes       int64       `json:"bytes"`
	Local       string      `json:"local,omitempty"`
	Remote      string      `json:"remote,omitempty"`
	Outcome     *tfo.Status `json:"outcome,omitempty"` // these six are missing if there was no connection
	Cause       *tfo.Cause  `json:"cause,omitempty"`
	Sent        *int        `json:"sent,omitempty"`
	Wanted      *int        `json:"wanted,omitempty"`
	Saved       *bool       `json:"saved,omitempty"`
	Explanation string      `json:"explanation,omitempty"`
	RTT         float64     `json:"rtt_ms,omitempty"`
	Name        float64     `json:"name_ms"` // 0 for an address
	Connect     *float64    `json:"connect_ms,omitempty"`
	Handshake   float64     `json:"tls_ms,omitempty"`
	FirstByte   float64     `json:"first_byte_ms"` // 0 if none came
	Total       float64     `json:"total_ms"`
	Error       string      `json:"error,omitempty"`
}

func (x *exchange) record() record {
	r := record{
		Event:     "connection",
		URL:       x.url.Redacted(),
		Method:    x.method,
		Bytes:     x.bytes,
		Local:     x.local,
		Remote:    x.remote,
		Name:      inMillis(x.name),
		Handshake: inMillis(x.tls),
		FirstByte: inMillis(x.firstByte),
		Total:     inMillis(x.total),
	}
	if x.response != nil {
		r.Status, r.Proto = x.response.StatusCode, x.response.Proto
		if x.response.TLS != nil {
			r.TLS = tls.VersionName(x.response.TLS.Version)
		}
	}
	if x.conn != nil {
		o, saved, connect := x.outcome, x.outcome.Saved(), inMillis(x.connect)
		r.Outcome, r.Cause, r.Sent, r.Wanted, r.Saved, r.Connect = &o.Status, &o.Cause, &o.Sent, &o.Wanted, &saved, &connect
		r.Explanation, r.RTT = o.String(), inMillis(o.RTT)
	}
	if x.err != nil {
		r.Error = x.err.Error()
	}
	return r
}

func (x *exchange) secure() bool { return x.url.Scheme == "https" }

// protocol is what the answer came by.
func protocol(x *exchange) string {
	s := x.response.Proto
	if t := x.response.TLS; t != nil {
		s += " over " + tls.VersionName(t.Version)
	}
	return s
}

// writeJSON writes v as one line.
func writeJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v)
}
