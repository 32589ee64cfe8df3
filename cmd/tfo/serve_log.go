package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// A logbook writes what happens: requests on stdout and the rest on stderr,
// or all of it on stdout as JSON, an object a line.
type logbook struct {
	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	json   bool
}

// A requestRecord is the JSON object for a request.
type requestRecord struct {
	Event    string     `json:"event"` // "request"
	Time     time.Time  `json:"time"`
	Remote   string     `json:"remote"`
	Local    string     `json:"local"`
	Method   string     `json:"method"`
	URI      string     `json:"uri"`
	Host     string     `json:"host"`
	Proto    string     `json:"proto"`
	TLS      string     `json:"tls,omitempty"`
	Request  int64      `json:"request"` // its number on the connection
	Status   int        `json:"status,omitempty"`
	Bytes    int64      `json:"bytes"` // of the body
	Duration float64    `json:"duration_ms"`
	Held     float64    `json:"held_ms,omitempty"` // of that, waiting for the handshake
	Outcome  tfo.Status `json:"outcome"`
	Cause    tfo.Cause  `json:"cause"`
	Early    bool       `json:"early"`
	Sent     int        `json:"sent"`
	Saved    bool       `json:"saved"`
	RTT      float64    `json:"rtt_ms,omitempty"`
	Error    string     `json:"error,omitempty"`
}

// request writes the access log's line for a request.
func (l *logbook) request(start time.Time, r *http.Request, t *tally, a account) {
	took := time.Since(start)
	if l.json {
		rec := newRequestRecord(start, r, a)
		rec.Status, rec.Bytes, rec.Duration = t.status, t.bytes, inMillis(took)
		l.object(rec)
		return
	}
	p := paint(l.stdout)
	outcome := shortOutcome(a)
	if a.Saved && a.Request == 1 {
		outcome = p.green(outcome)
	}
	l.line(l.stdout, "%s %s %s %s %d, %s, %s ms: %s", p.faint(clock(start)), a.Remote,
		r.Method, printable(r.RequestURI), t.status, size(t.bytes), millis(took), outcome)
}

// refused writes that a request was not carried out, since its connection's
// handshake was never done.
func (l *logbook) refused(start time.Time, r *http.Request, v *visit, err error) {
	if l.json {
		rec := newRequestRecord(start, r, newAccount(r, v, v.requests.Load(), 0))
		rec.Duration, rec.Error = inMillis(time.Since(start)), err.Error()
		rec.Held = rec.Duration
		l.object(rec)
		return
	}
	l.line(l.stdout, "%s %s %s %s: not carried out, since it came in a SYN whose handshake was never finished",
		paint(l.stdout).faint(clock(start)), v.RemoteAddr(), r.Method, printable(r.RequestURI))
}

func newRequestRecord(start time.Time, r *http.Request, a account) requestRecord {
	return requestRecord{
		Event:   "request",
		Time:    start.UTC(),
		Remote:  a.Remote,
		Local:   a.Local,
		Method:  r.Method,
		URI:     r.RequestURI,
		Host:    r.Host,
		Proto:   r.Proto,
		TLS:     a.TLS,
		Request: a.Request,
		Held:    inMillis(a.Held),
		Outcome: a.Outcome.Status,
		Cause:   a.Outcome.Cause,
		Early:   a.Early,
		Sent:    a.Outcome.Sent,
		Saved:   a.Saved,
		RTT:     inMillis(a.Outcome.RTT),
	}
}

// shortOutcome is an outcome in the few words that fit on a log line.
func shortOutcome(a account) string {
	if a.Request > 1 {
		return fmt.Sprintf("request %d on a connection that was open", a.Request)
	}
	s := ""
	switch o := a.Outcome; {
	case a.Saved:
		s = fmt.Sprintf("%s in the SYN, a round trip saved", size(int64(o.Sent)))
	case a.Whole:
		s = fmt.Sprintf("%s in the SYN", size(int64(o.Sent)))
	case a.Early:
		s = fmt.Sprintf("%s in the SYN, the rest after the handshake", size(int64(o.Sent)))
	case o.Status == tfo.CookieRequested:
		s = "asked for a cookie"
	case o.Status == tfo.FellBack:
		s = "its cookie was not honoured"
	case o.Cause == tfo.NoData:
		s = "a cookie and no data in the SYN"
	default:
		s = "plain TCP"
	}
	if a.Held > 0 {
		s += fmt.Sprintf(", held %s ms until the handshake was done", millis(a.Held))
	}
	return s
}

// trouble writes what went wrong beside the requests, such as a failed TLS
// handshake. It has the signature of [io.Writer] for [log.Logger].
type trouble struct{ *logbook }

func (t trouble) Write(b []byte) (int, error) {
	text := printable(strings.TrimPrefix(strings.TrimSpace(string(b)), "http: "))
	if t.json {
		t.object(struct {
			Event string    `json:"event"` // "trouble"
			Time  time.Time `json:"time"`
			Text  string    `json:"text"`
		}{"trouble", time.Now().UTC(), text})
	} else {
		t.line(t.stderr, "%s %s", clock(time.Now()), text)
	}
	return len(b), nil
}

// A startRecord is the JSON object for the start of the server.
type startRecord struct {
	Event    string      `json:"event"` // "start"
	URLs     []string    `json:"urls"`
	Ready    bool        `json:"ready"` // data in SYNs will be accepted
	Sysctl   kernel.Bits `json:"sysctl"`
	Queue    int         `json:"queue"`
	Keys     string      `json:"keys,omitempty"` // fingerprint
	Problem  string      `json:"problem,omitempty"`
	Remedy   string      `json:"remedy,omitempty"`
	SHA256   string      `json:"certificate_sha256,omitempty"`
	Pid      int         `json:"pid"`
	Contents string      `json:"contents"`
}

// A stopRecord is the JSON object for its end.
type stopRecord struct {
	Event       string          `json:"event"` // "stop"
	Requests    uint64          `json:"requests"`
	Cut         int64           `json:"cut"` // requests that were cut off
	Connections connectionStats `json:"connections"`
}

type connectionStats struct {
	Accepted  uint64 `json:"accepted"`
	Data      uint64 `json:"data"`
	Cookie    uint64 `json:"cookie"`
	Requested uint64 `json:"requested"`
	Refused   uint64 `json:"refused"`
	Plain     uint64 `json:"plain"`
}

// summary tells in words how connections were opened.
func summary(s fastopen.Stats, requests uint64) string {
	if s.Accepted == 0 {
		return "No connections came."
	}
	var parts []string
	for _, p := range []struct {
		n    uint64
		what string
	}{
		{s.Data, "fast, with data in the SYN"},
		{s.Cookie, "with a cookie and no data in the SYN"},
		{s.Requested, "asked for a cookie"},
		{s.Refused, "had a cookie that was not honoured"},
		{s.Plain, "plain"},
	} {
		if p.n > 0 || p.what == "plain" || p.n == s.Data && p.what[0] == 'f' {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return fmt.Sprintf("%s on %s: %s.", plural(requests, "request"), plural(s.Accepted, "connection"), strings.Join(parts, "; "))
}

func (l *logbook) object(v any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	writeJSON(l.stdout, v)
}

func (l *logbook) line(w io.Writer, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(w, format+"\n", args...)
}

// note tells a person something; programs are told by objects.
func (l *logbook) note(format string, args ...any) {
	if !l.json {
		l.line(l.stderr, format, args...)
	}
}

func clock(t time.Time) string { return t.Format("15:04:05") }
