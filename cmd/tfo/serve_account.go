package main

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// An account is what the server tells of a visitor's connection.
type account struct {
	Outcome  tfo.Outcome
	Early    bool          // its first bytes came in the SYN
	Whole    bool          // and they were all that the first answer needed
	Saved    bool          // and it did not wait for the handshake all the same
	Request  int64         // number of the request on the connection, from 1
	Held     time.Duration // how long the request waited for the end of the handshake
	Trips    int           // round trips that the first request took, at the least
	Proto    string
	TLS      string // version, "" for plain HTTP
	Local    string
	Remote   string
	Host     string // as the visitor calls this server
	Secure   bool
	MPTCP    bool
	Off      bool // this server does without Fast Open, or has to
	Switched bool // the kernel lets listeners use it
	Bits     kernel.Bits
}

// newAccount tells of the connection that r came on.
func newAccount(r *http.Request, v *visit, number int64, held time.Duration) account {
	a := account{
		Outcome: v.Outcome(),
		Early:   v.Early(),
		Request: number,
		Held:    held,
		Trips:   2,
		Proto:   r.Proto,
		Local:   v.LocalAddr().String(),
		Remote:  v.RemoteAddr().String(),
		Host:    r.Host,
		Secure:  v.gate.secure,
		Off:     v.gate.off,
	}
	a.MPTCP, _ = v.MultipathTCP()
	needed := v.read.Load()
	if t := r.TLS; t != nil {
		needed = v.hello.Load()
		a.TLS = tls.VersionName(t.Version)
		a.Trips += tlsTrips(t)
	}
	// Of a later request on the connection it is not known any more how much
	// the first one needed, but that was noted then.
	if number == 1 {
		v.whole.Store(a.Early && needed <= int64(a.Outcome.Sent))
	}
	a.Whole = v.whole.Load()
	if number == 1 && held > 0 {
		v.waited.Store(true)
	}
	a.Saved = a.Whole && !v.waited.Load()
	if a.Saved {
		a.Trips--
	}
	bits, err := kernel.FastOpen()
	a.Bits, a.Switched = bits, err != nil || bits.Server() || v.gate.own.stack != nil
	return a
}

// tlsTrips is how many round trips a handshake took.
func tlsTrips(t *tls.ConnectionState) int {
	n := 1
	if t.Version < tls.VersionTLS13 && !t.DidResume {
		n++
	}
	if t.HelloRetryRequest {
		n++
	}
	return n
}

// granting says that the server is set up to grant cookies.
func (a account) granting() bool { return a.Switched && !a.Off }

// Carried is what came in the SYN.
func (a account) Carried() string {
	switch {
	case a.Secure:
		return "TLS hello"
	default:
		return "request"
	}
}

// Mood is the colour of the page.
func (a account) Mood() string {
	switch {
	case a.Saved:
		return "fast"
	case a.Early, a.Outcome.Status == tfo.CookieRequested, a.Outcome.Status == tfo.FellBack, a.Outcome.Cause == tfo.NoData:
		return "half"
	}
	return "plain"
}

// Headline is the answer in a few words.
func (a account) Headline() string {
	switch o := a.Outcome; {
	case a.Whole:
		return "Your " + a.Carried() + " came in the very first packet."
	case a.Early:
		return "A part of your " + a.Carried() + " came in the first packet."
	case o.Status == tfo.CookieRequested && a.granting():
		return "You asked for a cookie. The next connection can be fast."
	case o.Status == tfo.CookieRequested:
		return "You asked for Fast Open, and this server has it off."
	case o.Status == tfo.FellBack:
		return "Your cookie was not accepted this time."
	case o.Cause == tfo.NoData:
		return "Your cookie was accepted, but it came alone."
	}
	return "Your connection opened the ordinary way."
}

// Story says what happened in a sentence or two.
func (a account) Story() string {
	sent := size(int64(a.Outcome.Sent))
	switch o := a.Outcome; {
	case a.Whole && !a.Saved && a.Request == 1:
		return "The SYN carried all of it, " + sent + ". But its method is not safe to repeat, so it was held until the handshake was done, for " + millis(a.Held) + " ms, and nothing was saved."
	case a.Whole && !a.Saved:
		return "The SYN carried all of the first request, " + sent + ". But its method was not safe to repeat, so it was held until the handshake was done, and nothing was saved."
	case a.Whole && a.Secure:
		return "The SYN carried all of the hello, " + sent + ", so the TLS handshake began together with that of TCP and not after it."
	case a.Whole:
		return "The SYN carried all of it, " + sent + ", so this answer left before the handshake was done, a round trip sooner than over plain TCP."
	case a.Early:
		return "The SYN carried " + sent + " and had no room for more. The rest came after the handshake, so nothing was saved."
	case o.Status == tfo.CookieRequested && a.granting():
		return "The SYN asked for a Fast Open cookie, which this server's kernel grants unless too many connections are pending. Your system keeps it, and can put data into the SYN of every later connection to this address."
	case o.Status == tfo.CookieRequested:
		return "The SYN asked for a Fast Open cookie, and this server grants none as it is set up now."
	case o.Status == tfo.FellBack && !a.granting():
		return "The SYN carried a cookie, and this server has Fast Open switched off. The connection went on the plain way."
	case o.Status == tfo.FellBack:
		return "The SYN carried a cookie that this server did not honour: it is old or another server's, or too many connections were pending. The connection went on the plain way, and the answer to an old cookie is a new one."
	case o.Cause == tfo.NoData:
		return "The SYN carried a valid cookie and no data, so the server could have spoken first, but your request came after the handshake."
	case !a.granting():
		return "First the handshake of TCP, then your " + a.Carried() + ". This server has Fast Open switched off."
	case a.MPTCP:
		return "First the handshake of TCP, then your " + a.Carried() + ". Over Multipath TCP the server cannot see whether you asked for a cookie."
	}
	return "First the handshake of TCP, then your " + a.Carried() + ". The SYN said nothing of Fast Open when it arrived here."
}

// AdviceTitle is the heading above the advice.
func (a account) AdviceTitle() string {
	if a.Saved {
		return "What it is worth"
	}
	return "To get more"
}

// An Advice is something to do to get more, perhaps with a command.
type Advice struct{ Text, Command string }

// Advice is what the visitor, or who runs the server, can do to get more.
func (a account) Advice() []Advice {
	url := "http://" + a.Host + "/"
	if a.Secure {
		url = "https://" + a.Host + "/"
	}
	enable := Advice{"Who runs this server can switch Fast Open on. It takes effect at once:", a.Bits.TurnOn(kernel.ServerBit)}
	switch o := a.Outcome; {
	case a.Whole && !a.Saved:
		return []Advice{{"Only requests whose method is safe, such as GET, are answered before the handshake is done.", ""}}
	case a.Whole:
		return []Advice{{"See it side by side with plain TCP:", "tfo get --repeat 5 " + url}}
	case a.Early && a.Secure:
		return []Advice{{"Make the TLS hello shorter: a SYN has room for some 1400 bytes, and the hello of a post-quantum key exchange is longer. tfo get offers the classical one:", "tfo get " + url}}
	case a.Early:
		return []Advice{{"Make the request shorter: a SYN has room for some 1400 bytes. Cookies of HTTP are most often what makes it long.", ""}}
	case a.Off:
		return []Advice{{"Only who runs this server can change that: it was started without Fast Open, or its system has none.", ""}}
	case !a.Switched:
		return []Advice{enable}
	case o.Status == tfo.CookieRequested:
		return []Advice{{"Come again on a new connection:", "tfo get " + url}}
	case o.Status == tfo.FellBack:
		return []Advice{{"Try again. If that does not help, the servers behind this address may not share a key: start each with the same --keys.", "tfo get " + url}}
	case o.Cause == tfo.NoData:
		return []Advice{{"Only what may reach a server twice rides in a SYN. If that does no harm with your request, say so:", "tfo get --idempotent " + url}}
	}
	return []Advice{
		{"Fetch this page with a program that speaks Fast Open, twice: browsers do not. The first time gets the cookie.", "tfo get " + url},
		{"If you did, something on the way here removed the option from the SYN.", ""},
	}
}

// RTT is the round-trip time as text, "" while it is not known.
func (a account) RTT() string {
	if a.Outcome.RTT <= 0 {
		return ""
	}
	return millis(a.Outcome.RTT) + " ms"
}
