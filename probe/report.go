package probe

import (
	"cmp"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"time"
)

// A Report is what a probe found out about an address.
type Report struct {
	Target  netip.AddrPort
	Mode    Mode // Raw or Kernel, never Auto
	Verdict Verdict
	Began   time.Time
	Took    time.Duration
	// RTT is the round-trip time, the shortest that was seen; zero when
	// nothing was answered.
	RTT time.Duration
	// Connections with a cookie and data in the SYN: how many were tried,
	// and how many of them had all data accepted, refused or only accepted
	// in part, were reset, and were not answered at all.
	Sent, Accepted, Refused, Resets, Lost int
	// Cookies is how many different cookies were granted. A server has one
	// for a client, so these are as many as there are keys, unless the
	// client's own address changes from one connection to the next.
	Cookies int
	// CookieLen is the length of the cookie in bytes, zero for none.
	CookieLen int
	// Renewed says that a server accepted a cookie and gave another one in
	// its place: its key is being changed.
	Renewed bool
	// Withdrawn says that the server granted a cookie, then refused it, and
	// would then grant none.
	Withdrawn bool
	// Cut says that some data in a SYN, but not all, was accepted.
	Cut bool
	// PlainFirstByte and FastFirstByte are how long, from the SYN on, the
	// server's first byte took to come on a plain connection and on one with
	// the data in its SYN, the shortest of those seen; zero when the server
	// said nothing.
	PlainFirstByte, FastFirstByte time.Duration
	// Saved is how many round trips a connection saves whose data is
	// accepted in the SYN: measured by the first bytes, if Measured is true,
	// else 1 because the SYN-ACK acknowledged the data. Measured is true only
	// where the first bytes tell: one round trip is all that can be saved, so
	// where they differ by half of one more or less, that was the server,
	// which takes now longer and now shorter. Zero when data is not accepted.
	Saved    float64
	Measured bool
	// Events is the evidence, in the order in which the SYNs were sent.
	Events []Event
}

func newReport(target netip.AddrPort, mode Mode, began time.Time, took time.Duration, events []Event, tries int) Report {
	t := tallyOf(events)
	d := t.of[Data]
	r := Report{
		Target: target, Mode: mode, Verdict: judge(events, mode, tries), Began: began, Took: took,
		Sent: d.sent, Accepted: d.accepted, Refused: t.refused, Resets: d.reset, Lost: d.lost,
		Cookies: t.cookies, Renewed: t.renewed > 0, Cut: t.cut > 0,
		Withdrawn: t.refused > 0 && t.replaced == 0 && t.requestsAfter.answered > 0 && t.requestsAfter.granted == 0,
		Events:    slices.Clone(events),
	}
	slices.SortStableFunc(r.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range events {
		r.RTT = shorter(r.RTT, e.After)
		r.CookieLen = max(r.CookieLen, e.cookieLen)
		switch {
		case e.Sent == Plain:
			r.PlainFirstByte = shorter(r.PlainFirstByte, e.FirstByte)
		case e.Data > 0 && e.Acked == e.Data:
			r.FastFirstByte = shorter(r.FastFirstByte, e.FirstByte)
		}
	}
	if d.accepted+t.of[BareData].accepted > 0 && !r.Verdict.Harmful() {
		r.Saved = 1
		if r.RTT > 0 && r.PlainFirstByte > 0 && r.FastFirstByte > 0 {
			saved := float64(r.PlainFirstByte-r.FastFirstByte) / float64(r.RTT)
			if saved >= 0.5 && saved <= 1.5 {
				r.Saved, r.Measured = saved, true
			}
		}
	}
	return r
}

// shorter is the shorter of two times, of which zero is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// MarshalJSON writes the report as one object. These names are kept:
//
//	address           "192.0.2.1:443"
//	verdict           a [Verdict], such as "works"
//	summary, advice   [Report.Summary] and [Report.Advice]
//	mode              "raw" or "kernel"
//	began             RFC 3339
//	took_ms, rtt_ms   milliseconds; rtt_ms is null when nothing was answered
//	data              of the connections with a cookie and data in the SYN: sent, accepted, refused, reset, lost
//	cookies           how many different ones were granted
//	cookie_bytes      how long they are
//	renewed, withdrawn, cut   true or false, as in [Report]
//	plain_first_byte_ms, fast_first_byte_ms   null when the server said nothing
//	saved_round_trips, saved_measured   as in [Report]
//	events            a list; of each: at_ms, sent (a [SYN]), answer (an [Answer]), and, where there is such a thing, port, data, used,
//	                  after_ms, acked, granted, erased, awaited, first_byte_ms, plain_answered, detail
func (r Report) MarshalJSON() ([]byte, error) {
	type data struct {
		Sent     int `json:"sent"`
		Accepted int `json:"accepted"`
		Refused  int `json:"refused"`
		Reset    int `json:"reset"`
		Lost     int `json:"lost"`
	}
	return json.Marshal(struct {
		Address   string    `json:"address"`
		Verdict   Verdict   `json:"verdict"`
		Summary   string    `json:"summary"`
		Advice    string    `json:"advice"`
		Mode      Mode      `json:"mode"`
		Began     time.Time `json:"began"`
		Took      *float64  `json:"took_ms"`
		RTT       *float64  `json:"rtt_ms"`
		Data      data      `json:"data"`
		Cookies   int       `json:"cookies"`
		CookieLen int       `json:"cookie_bytes"`
		Renewed   bool      `json:"renewed"`
		Withdrawn bool      `json:"withdrawn"`
		Cut       bool      `json:"cut"`
		Plain     *float64  `json:"plain_first_byte_ms"`
		Fast      *float64  `json:"fast_first_byte_ms"`
		Saved     float64   `json:"saved_round_trips"`
		Measured  bool      `json:"saved_measured"`
		Events    []Event   `json:"events"`
	}{
		r.Target.String(), r.Verdict, r.Summary(), r.Advice(), r.Mode, r.Began, millis(r.Took), millis(r.RTT),
		data{r.Sent, r.Accepted, r.Refused, r.Resets, r.Lost}, r.Cookies, r.CookieLen, r.Renewed, r.Withdrawn, r.Cut,
		millis(r.PlainFirstByte), millis(r.FastFirstByte), math.Round(r.Saved*100) / 100, r.Measured, r.Events,
	})
}

// MarshalJSON writes the event as [Report.MarshalJSON] says.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At        float64  `json:"at_ms"`
		Sent      SYN      `json:"sent"`
		Answer    Answer   `json:"answer"`
		Port      uint16   `json:"port,omitempty"`
		Data      int      `json:"data,omitempty"`
		Used      string   `json:"used,omitempty"`
		After     *float64 `json:"after_ms,omitempty"`
		Acked     int      `json:"acked,omitempty"`
		Granted   string   `json:"granted,omitempty"`
		Erased    bool     `json:"erased,omitempty"`
		Awaited   bool     `json:"awaited,omitempty"`
		FirstByte *float64 `json:"first_byte_ms,omitempty"`
		Plain     bool     `json:"plain_answered,omitempty"`
		Detail    string   `json:"detail,omitempty"`
	}{
		float64(e.At.Round(time.Microsecond)) / 1e6, e.Sent, e.Answer, e.Port, e.Data, e.Used, millis(e.After), e.Acked, e.Granted,
		e.Erased, e.Awaited, millis(e.FirstByte), e.PlainAnswered, e.Detail,
	})
}

// millis is d in milliseconds, to the microsecond; nil for zero.
func millis(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	ms := float64(d.Round(time.Microsecond)) / 1e6
	return &ms
}
