package probe

import "fmt"

// A Verdict is what a probe makes of an address: what its server and the path
// to it do with Fast Open.
type Verdict uint8

const (
	// Unclear: too much was lost, or the time was over, to tell anything.
	Unclear Verdict = iota
	// Works: cookies are granted, and data in SYNs is accepted each time.
	Works
	// Cookieless: data in a SYN is accepted without any cookie, from
	// anybody, and no cookies are granted.
	Cookieless
	// LegacyOnly: it works, but only with the experimental form of the
	// option (kind 254).
	LegacyOnly
	// NoFastOpen: SYNs with the option are answered as plain ones. The
	// server has no Fast Open, or its queue for it is full, or the option
	// was taken away before it reached the server: these look alike.
	NoFastOpen
	// OptionStripped: the SYN-ACK has blanks where its option was.
	OptionStripped
	// KeysDiffer: cookies are refused and other ones given in their place:
	// several servers share the address and not their keys.
	KeysDiffer
	// CookieRefused: a cookie is granted, and data that comes with it is
	// never accepted.
	CookieRefused
	// Varies: some connections are served with Fast Open and others, to the
	// same address, are not.
	Varies
	// OptionDropped: SYNs that have the option get no answer, plain ones
	// do.
	OptionDropped
	// CookieDropped: asking for a cookie gets an answer, SYNs that have a
	// cookie do not, with data or without.
	CookieDropped
	// DataDropped: SYNs with data get no answer, those without do.
	DataDropped
	// Blocked: after the first SYN with data, not even plain ones get an
	// answer any more.
	Blocked
	// ResetByFastOpen: SYNs with the option, or with data, are answered by
	// a RST, plain ones are accepted.
	ResetByFastOpen
	// BlackHole: data in the SYN is acknowledged, and then the connection
	// is dead, while plain ones are not.
	BlackHole
	// Refused: nothing listens on the port: plain SYNs too are answered by
	// a RST.
	Refused
	// Silent: nothing is answered, plain SYNs neither.
	Silent
	// NotReachable: the network says that there is no way there.
	NotReachable
)

var verdictNames = [...]string{
	"unclear", "works", "cookieless", "legacy-only", "no-fast-open", "option-stripped", "keys-differ", "cookie-refused", "varies",
	"option-dropped", "cookie-dropped", "data-dropped", "blocked", "reset", "black-hole", "refused", "silent", "unreachable",
}

// Verdicts returns all there are.
func Verdicts() []Verdict {
	all := make([]Verdict, len(verdictNames))
	for i := range all {
		all[i] = Verdict(i)
	}
	return all
}

// String returns the name of the verdict, such as "no-fast-open".
func (v Verdict) String() string { return nameOf(verdictNames[:], uint8(v)) }

// MarshalText returns [Verdict.String].
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("probe: there is no verdict %.40q", text)
}

// Good reports whether Fast Open fully works for the clients there are.
func (v Verdict) Good() bool { return v == Works }

// Known reports whether the verdict says something about Fast Open at all.
func (v Verdict) Known() bool {
	switch v {
	case Unclear, Refused, Silent, NotReachable:
		return false
	}
	return true
}

// Harmful reports whether a client that uses Fast Open there without care
// fails, or loses time, where a plain one does not.
func (v Verdict) Harmful() bool {
	switch v {
	case OptionDropped, CookieDropped, DataDropped, Blocked, ResetByFastOpen, BlackHole:
		return true
	}
	return false
}
