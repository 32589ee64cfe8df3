package probe

import (
	"fmt"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A SYN is a kind of first packet of a connection.
type SYN uint8

const (
	Plain    SYN = iota // neither option nor data: what every TCP sends
	Request             // with an empty Fast Open option, which asks for a cookie
	Legacy              // Request in the experimental form of the option, kind 254
	Cookie              // with a cookie, and no data
	Data                // with a cookie and data: Fast Open proper
	BareData            // with data and no option, for servers that want no cookies
)

var synNames = [...]string{"plain", "request", "legacy-request", "cookie", "data", "bare-data"}

// String returns "plain", "request", "legacy-request", "cookie", "data" or
// "bare-data".
func (s SYN) String() string { return nameOf(synNames[:], uint8(s)) }

// MarshalText returns [SYN.String].
func (s SYN) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An Answer is what came back for a SYN.
type Answer uint8

const (
	Nothing     Answer = iota // not within the time that was waited
	SYNACK                    // the connection was opened
	Reset                     // a RST
	Unreachable               // an ICMP error, or no route to begin with
)

var answerNames = [...]string{"nothing", "syn-ack", "reset", "unreachable"}

// String returns "nothing", "syn-ack", "reset" or "unreachable".
func (a Answer) String() string { return nameOf(answerNames[:], uint8(a)) }

// MarshalText returns [Answer.String].
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// An Event is one SYN of a probe and what came of it: the evidence of a
// verdict. Cookies are never shown. They are named by letters, in the order
// of their appearance in the report, so that it can be seen which are equal.
type Event struct {
	// At is when the SYN was sent, since the probe began.
	At time.Duration
	// Port is the source port; zero when the kernel did not tell.
	Port uint16
	// Sent is the kind of SYN.
	Sent SYN
	// Data is how many bytes of data were in the SYN.
	Data int
	// Used is the name of the cookie in the SYN, "" for none.
	Used string
	// Answer is what came back.
	Answer Answer
	// After is how long the answer took: a round trip; zero for Nothing.
	After time.Duration
	// Acked is how many of the Data bytes the SYN-ACK acknowledged.
	Acked int
	// Granted is the name of the cookie that came with the SYN-ACK, "" for
	// none.
	Granted string
	// Erased says that the SYN-ACK has no-operation options where a Fast
	// Open option would stand: something on the way wrote over it.
	Erased bool
	// Awaited says that the payload was sent whole, in the SYN or behind the
	// handshake, and that the first byte of the server's answer to it was
	// waited for.
	Awaited bool
	// FirstByte is when that came, since the SYN was sent; zero when it did
	// not come.
	FirstByte time.Duration
	// PlainAnswered says that this SYN stayed without answer, and that the
	// plain one which the kernel sends in its place, on the same ports, was
	// answered.
	PlainAnswered bool
	// Detail is what else the answer said, in words; mostly empty.
	Detail string

	cookieLen int  // of the one granted
	again     bool // answered, but only when the kernel had sent it again
}

// String is the event in a line, without its time.
func (e Event) String() string {
	var b strings.Builder
	switch e.Sent {
	case Plain:
		b.WriteString("plain SYN")
	case Request:
		b.WriteString("SYN asking for a cookie")
	case Legacy:
		b.WriteString("SYN asking for a cookie in the old form (kind 254)")
	case Cookie:
		fmt.Fprintf(&b, "SYN with cookie %s, no data", e.Used)
	case Data:
		fmt.Fprintf(&b, "SYN with cookie %s and %s", e.Used, bytesOf(e.Data))
	case BareData:
		fmt.Fprintf(&b, "SYN with %s and no cookie", bytesOf(e.Data))
	}
	b.WriteString(": " + e.answer())
	return b.String()
}

func (e Event) answer() string {
	var b strings.Builder
	switch e.Answer {
	case Nothing:
		b.WriteString("no answer")
		if e.PlainAnswered {
			b.WriteString(", but the plain SYN sent in its place was answered")
		}
	case SYNACK:
		fmt.Fprintf(&b, "SYN-ACK after %s", inMillis(e.After))
		switch {
		case e.Data == 0:
		case e.Acked == 0:
			b.WriteString(", data refused")
		case e.Acked < e.Data:
			fmt.Fprintf(&b, ", only %d bytes of the data accepted", e.Acked)
		default:
			b.WriteString(", data accepted")
		}
		switch {
		case e.Granted != "" && (e.Used == "" || e.Used == e.Granted):
			b.WriteString(", cookie " + e.Granted)
		case e.Granted != "":
			b.WriteString(", another cookie " + e.Granted)
		case e.Sent == Request || e.Sent == Legacy:
			b.WriteString(", no cookie")
		}
		if e.Erased {
			b.WriteString(", blanks where an option was")
		}
		switch {
		case e.FirstByte > 0:
			fmt.Fprintf(&b, ", first byte after %s", inMillis(e.FirstByte))
		case e.Awaited:
			b.WriteString(", then nothing")
		}
	case Reset:
		fmt.Fprintf(&b, "RST after %s", inMillis(e.After))
	case Unreachable:
		b.WriteString("unreachable")
	}
	if e.Detail != "" {
		b.WriteString(" (" + e.Detail + ")")
	}
	return b.String()
}

// names gives cookies their letters.
type names struct{ seen []tfo.Option }

// of returns the name of the cookie in o, "" if o is only a request.
func (n *names) of(o tfo.Option) string {
	if o.IsRequest() {
		return ""
	}
	for i, s := range n.seen {
		if s.Cookie.Equal(o.Cookie) {
			return letter(i)
		}
	}
	n.seen = append(n.seen, o)
	return letter(len(n.seen) - 1)
}

// letter is A to Z, then AA to ZZ and so on.
func letter(i int) string {
	s := string(rune('A' + i%26))
	if i >= 26 {
		return letter(i/26-1) + s
	}
	return s
}

func bytesOf(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// inMillis prints a time in milliseconds with no more digits than it is worth.
func inMillis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 10 || ms <= -10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("number-%d", i)
}
