package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// accounts are all the connections that the page may have to tell of.
func accounts() (list []account) {
	for _, o := range []tfo.Outcome{
		{},
		{Cause: tfo.NoData},
		{Status: tfo.CookieRequested},
		{Status: tfo.FellBack, Cause: tfo.Unacknowledged, Wanted: 100},
		{Status: tfo.DataAccepted, Sent: 80, Wanted: 80},
		{Status: tfo.DataAccepted, Sent: 1420, Wanted: 1420},
	} {
		for i := range 1 << 7 {
			is := func(bit int) bool { return i>>bit&1 != 0 }
			a := account{Outcome: o, Early: o.Sent > 0, Request: 1, Trips: 2, Proto: "HTTP/1.1", Local: "[fd77::2]:8080", Remote: "[fd77::1]:40000",
				Host: "host:8080", Secure: is(0), Switched: is(1), Off: is(2), MPTCP: is(3), Bits: kernel.ClientBit}
			a.Whole = o.Sent == 80
			a.Saved = a.Whole && !is(4)
			a.Outcome.Passive = true
			if a.Switched {
				a.Bits |= kernel.ServerBit
			}
			if a.Secure {
				a.TLS = "TLS 1.3"
				a.Trips++
			}
			if a.Saved {
				a.Trips--
			}
			if a.Whole && !a.Saved {
				a.Held = 100 * time.Millisecond
			}
			if is(5) {
				a.Outcome.RTT = 100300 * time.Microsecond
			}
			if is(6) {
				a.Request = 3
			}
			list = append(list, a)
		}
	}
	return list
}

// Whatever happened, the page tells it whole, and says that a round trip was
// saved when one was and not otherwise.
func TestPageTellsTheTruth(t *testing.T) {
	for _, a := range accounts() {
		var b strings.Builder
		for _, part := range []string{"page", "rest"} {
			if err := pageTemplate.ExecuteTemplate(&b, part, a); err != nil {
				t.Fatalf("%+v: %v", a, err)
			}
		}
		html, text, rec := b.String(), a.text(), a.record()
		if err := balanced(html); err != nil {
			t.Errorf("%+v: %v\n%s", a, err, html)
		}
		for name, s := range map[string]string{"HTML": html, "text": text, "JSON": rec.Explanation + strings.Join(rec.Advice, "")} {
			if strings.Contains(s, "%!") || strings.Contains(s, "no value") || strings.Contains(s, "  .") {
				t.Errorf("%+v: %s has a hole in it:\n%s", a, name, s)
			}
			if claims := strings.Contains(s, "sooner than over plain TCP") || strings.Contains(s, "together with that of TCP"); claims != a.Saved {
				t.Errorf("%+v: %s claims %t that a round trip was saved:\n%s", a, name, claims, s)
			}
		}
		if got := strings.Contains(text, "one round trip"); got != a.Saved {
			t.Errorf("%+v: the facts claim %t that a round trip was saved", a, got)
		}
		if got := strings.Contains(html, `class="saved"`); got != a.Saved {
			t.Errorf("%+v: the drawing claims %t that a round trip was saved", a, got)
		}
		if rec.Saved != a.Saved || len(a.Advice()) == 0 || rec.RoundTrips != a.Trips {
			t.Errorf("%+v: got the record %+v", a, rec)
		}
		rows := a.Stages()
		if n := a.Trips; len(rows[0]) != len(rows[1]) || a.Saved && len(rows[0]) != n+1 || !a.Saved && len(rows[0]) != n {
			t.Errorf("%+v: %d round trips are drawn as %v", a, n, rows)
		}
		if promises := strings.Contains(html, "The next connection can be fast"); promises && (!a.Switched || a.Off) {
			t.Errorf("%+v: the page promises what this server does not grant", a)
		}
		if blames := strings.Contains(text, "sysctl"); blames && a.Switched {
			t.Errorf("%+v: the page blames the kernel:\n%s", a, text)
		}
	}
}

// balanced reports tags that are not closed, by the rules of XML save for the
// elements that HTML does not close.
func balanced(html string) error {
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(html, "<!doctype html>")))
	d.Strict = false
	d.AutoClose, d.Entity = xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(open) > 0 {
				return fmt.Errorf("%v are not closed", open)
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			open = append(open, tok.Name.Local)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != tok.Name.Local {
				return fmt.Errorf("</%s> closes one of %v", tok.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// The page asks what the visitor understands, and repeats nothing that a
// browser or a terminal would carry out.
func TestPage(t *testing.T) {
	for _, c := range []struct {
		method, path, accept string
		body                 string
		status               int
		kind                 string
	}{
		{"GET", "/", "", "", 200, "text/plain; charset=utf-8"},
		{"GET", "/", "*/*", "", 200, "text/plain; charset=utf-8"},
		{"GET", "/", "text/html,application/xhtml+xml,*/*;q=0.8", "", 200, "text/html; charset=utf-8"},
		{"GET", "/", "application/json", "", 200, "application/json"},
		{"GET", "/outcome", "text/html", "", 200, "application/json"},
		{"HEAD", "/", "text/html", "", 200, "text/html; charset=utf-8"},
		{"POST", "/", "", "a=b", 200, "text/plain; charset=utf-8"},
		{"POST", "/", "", strings.Repeat("x", 2<<20), 413, "text/plain; charset=utf-8"},
		{"OPTIONS", "/", "", "", 204, ""},
		{"DELETE", "/", "", "", 405, "text/plain; charset=utf-8"},
		{"GET", "/none", "", "", 404, "text/plain; charset=utf-8"},
	} {
		r := httptest.NewRequest(c.method, "http://host"+c.path, strings.NewReader(c.body))
		r.Header.Set("Accept", c.accept)
		w := httptest.NewRecorder()
		page(w, r, account{Request: 1, Trips: 2, Host: "h\x1b[31m<script>", Outcome: tfo.Outcome{RTT: time.Millisecond}})
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s %s for %q: got %d, %q; want %d, %q", c.method, c.path, c.accept, w.Code, w.Header().Get("Content-Type"), c.status, c.kind)
		}
		if s := w.Body.String(); strings.Contains(s, "<script>") && c.kind == "text/html; charset=utf-8" || strings.Contains(s, "\x1b") {
			t.Errorf("%s %s for %q: got\n%s", c.method, c.path, c.accept, s)
		}
	}
}
