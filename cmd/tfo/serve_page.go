package main

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// page is the site without a directory: / tells visitors how their connection
// was opened, as HTML to browsers and as text to others, and /outcome tells
// it as JSON.
func page(w http.ResponseWriter, r *http.Request, a account) {
	const methods = "GET, HEAD, OPTIONS, POST"
	switch {
	case r.URL.Path != "/" && r.URL.Path != "/outcome":
		http.Error(w, "There is nothing here. How your connection was opened is told at / and, as JSON, at /outcome.", http.StatusNotFound)
		return
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", methods)
		http.Error(w, "This page understands "+methods+".", http.StatusMethodNotAllowed)
		return
	}
	// What a POST brings is of no use here, but its sender shall see how it
	// came.
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<20)); err != nil {
		http.Error(w, "The body is too long: this page takes up to 1 MiB, and keeps nothing of it.", http.StatusRequestEntityTooLarge)
		return
	}
	switch accept := r.Header.Get("Accept"); {
	case r.URL.Path == "/outcome", strings.Contains(accept, "application/json"):
		pageHeader(w)
		w.Header().Set("Content-Type", "application/json")
		writeJSON(w, a.record())
	case strings.Contains(accept, "text/html"):
		a.writeHTML(w, r)
	default:
		pageHeader(w)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, a.text())
	}
}

// pageHeader sets the header fields that all pages of our own have.
func pageHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// writeHTML sends the page in two parts if need be: before the handshake is
// done, nobody knows how long a round trip takes. So the first part leaves at
// once, and what a round trip is worth follows as soon as there has been one.
func (a account) writeHTML(w http.ResponseWriter, r *http.Request) {
	pageHeader(w)
	if err := pageTemplate.ExecuteTemplate(w, "page", a); err != nil {
		return // the visitor has gone
	}
	if a.Outcome.RTT == 0 && a.Early && r.Method != http.MethodHead {
		http.NewResponseController(w).Flush()
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		v := visitOf(r)
		if v.Confirmed(ctx) == nil {
			a.Outcome = v.Outcome()
		}
	}
	pageTemplate.ExecuteTemplate(w, "rest", a)
}

// text is the page for a terminal.
func (a account) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", a.Headline(), a.Story())
	if a.Request > 1 {
		fmt.Fprintf(&b, "This is request %d on the connection.\n", a.Request)
	}
	b.WriteByte('\n')
	for _, f := range a.Facts() {
		fmt.Fprintf(&b, "  %-18s %s\n", f.Name, printable(f.Value))
	}
	fmt.Fprintf(&b, "\n%s:\n", a.AdviceTitle())
	for _, ad := range a.Advice() {
		fmt.Fprintf(&b, "  %s\n", ad.Text)
		if ad.Command != "" {
			fmt.Fprintf(&b, "    %s\n", printable(ad.Command))
		}
	}
	return b.String()
}

// A Fact is one thing that is known of a connection.
type Fact struct{ Name, Value string }

// Facts lists what is known, apart from the round-trip time of a connection
// that has not had one yet.
func (a account) Facts() []Fact {
	facts := []Fact{
		{"Your address", a.Remote},
		{"This server", a.Local},
	}
	if a.Early || a.Outcome.Sent > 0 {
		facts = append(facts, Fact{"Data in the SYN", size(int64(a.Outcome.Sent))})
	} else {
		facts = append(facts, Fact{"Data in the SYN", "none"})
	}
	facts = append(facts, Fact{"Cookie", a.cookie()})
	saved := "nothing"
	if a.Saved {
		saved = "one round trip"
		if a.RTT() != "" {
			saved += ", " + a.RTT()
		}
	}
	facts = append(facts, Fact{"Saved", saved}, Fact{"First answer after", plural(a.Trips, "round trip")})
	if a.RTT() != "" {
		facts = append(facts, Fact{"A round trip takes", a.RTT()})
	}
	protocol := a.Proto
	if a.TLS != "" {
		protocol += " over " + a.TLS
	}
	return append(facts, Fact{"Protocol", protocol})
}

// cookie is what the SYN had to do with cookies.
func (a account) cookie() string {
	switch o := a.Outcome; {
	case a.Early && a.Bits.ServerNoCookie():
		return "not needed here"
	case a.Early, o.Cause == tfo.NoData:
		return "valid"
	case o.Status == tfo.CookieRequested && a.granting():
		return "asked for"
	case o.Status == tfo.CookieRequested:
		return "asked for in vain"
	case o.Status == tfo.FellBack:
		return "not honoured"
	}
	return "none"
}

// A Stage is a round trip before the first answer.
type Stage struct {
	Label string
	Saved bool
}

// Stages lists the round trips of a plain connection and of this one, for a
// drawing: both have the same number, some of which may be saved.
func (a account) Stages() (rows [2][]Stage) {
	var rest []Stage
	if a.Secure {
		tls := a.Trips - 2
		if a.Saved {
			tls++
		}
		for i := range tls {
			label := "TLS"
			if i > 0 {
				label = "TLS, again"
			}
			rest = append(rest, Stage{Label: label})
		}
	}
	rest = append(rest, Stage{Label: "request"})
	rows[0] = append([]Stage{{Label: "handshake"}}, rest...)
	if !a.Saved {
		rows[1] = rows[0]
		return rows
	}
	rows[1] = append([]Stage{{Label: "handshake + " + rest[0].Label}}, rest[1:]...)
	rows[1] = append(rows[1], Stage{Label: "saved", Saved: true})
	return rows
}

// An outcomeRecord is the JSON object that /outcome sends.
type outcomeRecord struct {
	Outcome     tfo.Status `json:"outcome"`
	Cause       tfo.Cause  `json:"cause"`
	Early       bool       `json:"early"` // the first bytes came in the SYN
	Sent        int        `json:"sent"`  // how many
	Saved       bool       `json:"saved"`
	RoundTrips  int        `json:"round_trips"`      // before the first answer
	RTT         float64    `json:"rtt_ms,omitempty"` // missing as long as there was no round trip
	Held        float64    `json:"held_ms"`
	Request     int64      `json:"request"`
	Remote      string     `json:"remote"`
	Local       string     `json:"local"`
	Proto       string     `json:"proto"`
	TLS         string     `json:"tls,omitempty"`
	MPTCP       bool       `json:"mptcp"`
	Sysctl      int32      `json:"sysctl"` // of this server's host
	Explanation string     `json:"explanation"`
	Advice      []string   `json:"advice"`
}

func (a account) record() outcomeRecord {
	r := outcomeRecord{
		Outcome:     a.Outcome.Status,
		Cause:       a.Outcome.Cause,
		Early:       a.Early,
		Sent:        a.Outcome.Sent,
		Saved:       a.Saved,
		RoundTrips:  a.Trips,
		RTT:         inMillis(a.Outcome.RTT),
		Held:        inMillis(a.Held),
		Request:     a.Request,
		Remote:      a.Remote,
		Local:       a.Local,
		Proto:       a.Proto,
		TLS:         a.TLS,
		MPTCP:       a.MPTCP,
		Sysctl:      int32(a.Bits),
		Explanation: a.Headline() + " " + a.Story(),
		Advice:      []string{},
	}
	for _, ad := range a.Advice() {
		r.Advice = append(r.Advice, strings.TrimSpace(ad.Text+" "+ad.Command))
	}
	return r
}
