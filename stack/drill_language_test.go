//go:build unix

package stack

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The scripts in testdata/drill are in the language of packetdrill, so that
// anybody can hold the same scripts against a kernel: what the application
// calls, what comes in from the network and what has to go out, and when.
//
// https://github.com/google/packetdrill

// drillEvent is one step of a script.
type drillEvent struct {
	line int
	when drillTime
	// One of these is set.
	packet *drillPacket
	call   *drillCall
	shell  string
	code   string
}

// drillTime is when a step happens.
type drillTime struct {
	relative, any bool
	at            time.Duration
	until         time.Duration // when a call that waits returns, or a range of times ends
	waits, spread bool
}

// drillPacket is a packet in a script. Its sequence numbers are those of the
// script.
type drillPacket struct {
	out              bool
	icmp             string // such as "host_unreachable"; the type and code
	mtu              int
	ecn              string
	flags            string
	from, to, length uint32
	ack              uint32
	hasAck           bool
	win              int // -1 if it does not matter
	options          []string
	anyOptions       bool
}

// drillCall is a system call and what it has to return.
type drillCall struct {
	name   string
	args   []drillArg
	result drillArg
	errno  string
}

// drillArg is an argument of a call: "...", a number or names of flags, a
// string, a list, or a structure.
type drillArg struct {
	any    bool
	words  []string // numbers and names, joined by |
	text   string
	list   []drillArg
	fields map[string]drillArg
}

// drillReader reads a script.
type drillReader struct {
	name string
	text string
	at   int
	args map[string]string // --name=value
}

func (r *drillReader) line() int { return 1 + strings.Count(r.text[:min(r.at, len(r.text))], "\n") }

// fail ends the reading. It is recovered by parseDrill.
func (r *drillReader) fail(format string, args ...any) {
	panic(fmt.Errorf("%s:%d: %s", r.name, r.line(), fmt.Sprintf(format, args...)))
}

// parseDrill reads a whole script.
func parseDrill(name, text string) (events []drillEvent, options map[string]string, err error) {
	r := &drillReader{name: name, text: text, args: map[string]string{}}
	defer func() {
		if e := recover(); e != nil {
			wrong, ok := e.(error)
			if !ok {
				panic(e)
			}
			err = wrong
		}
	}()
	for r.space(); r.take("--"); r.space() {
		option := r.until("\n")
		k, v, _ := strings.Cut(strings.TrimSpace(option), "=")
		r.args[k] = v
	}
	for r.space(); r.at < len(r.text); r.space() {
		events = append(events, r.event())
	}
	return events, r.args, nil
}

// space passes over white space and comments.
func (r *drillReader) space() {
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			r.at++
		case strings.HasPrefix(rest, "//") || rest[0] == '#':
			r.at += len(rest)
			if i := strings.IndexByte(rest, '\n'); i >= 0 {
				r.at += i - len(rest)
			}
		case strings.HasPrefix(rest, "/*"):
			i := strings.Index(rest, "*/")
			if i < 0 {
				r.fail("a comment has no end")
			}
			r.at += i + 2
		default:
			return
		}
	}
}

// take passes over s if it comes next.
func (r *drillReader) take(s string) bool {
	if strings.HasPrefix(r.text[r.at:], s) {
		r.at += len(s)
		return true
	}
	return false
}

// want is take for what has to come next.
func (r *drillReader) want(s string) {
	r.space()
	if !r.take(s) {
		r.fail("%q expected before %.20q", s, r.text[r.at:])
	}
}

// until returns what comes before end, and passes over both.
func (r *drillReader) until(end string) string {
	i := strings.Index(r.text[r.at:], end)
	if i < 0 {
		r.fail("%q is missing", end)
	}
	s := r.text[r.at:][:i]
	r.at += i + len(end)
	return s
}

// word returns the characters of the set that come next.
func (r *drillReader) word(set string) string {
	begin := r.at
	for r.at < len(r.text) && strings.IndexByte(set, r.text[r.at]) >= 0 {
		r.at++
	}
	return r.text[begin:r.at]
}

const (
	drillDigits = "0123456789"
	drillName   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
)

func (r *drillReader) number() uint32 {
	s := r.word(drillDigits)
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		r.fail("a number expected before %.20q", r.text[r.at:])
	}
	return uint32(n)
}

func (r *drillReader) event() drillEvent {
	e := drillEvent{line: r.line()}
	e.when = r.time()
	r.space()
	switch rest := r.text[r.at:]; {
	case rest[0] == '`':
		r.at++
		e.shell = strings.TrimSpace(r.until("`"))
	case strings.HasPrefix(rest, "%{"):
		r.at += 2
		e.code = r.until("}%")
	case rest[0] == '<' || rest[0] == '>':
		e.packet = r.packet()
	default:
		e.call = r.systemCall()
	}
	return e
}

func (r *drillReader) time() (t drillTime) {
	if r.take("*") {
		t.any = true
		return t
	}
	t.relative = r.take("+")
	first := r.seconds()
	defer r.word(" \t")
	if first == "" {
		t.relative = true
		return t
	}
	t.at = r.duration(first)
	r.word(" \t")
	switch {
	case r.take("..."):
		t.waits = true
	case r.take("~"):
		t.spread = true
		r.take("+")
	default:
		return t
	}
	r.word(" \t")
	t.until = r.duration(r.seconds())
	return t
}

// seconds returns a number with at most one point in it: "0...0.1" is two.
func (r *drillReader) seconds() string {
	s := r.word(drillDigits)
	if rest := r.text[r.at:]; strings.HasPrefix(rest, ".") && !strings.HasPrefix(rest, "...") {
		r.at++
		s += "." + r.word(drillDigits)
	}
	return s
}

func (r *drillReader) duration(s string) time.Duration {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		r.fail("time %q is no number", s)
	}
	return time.Duration(x*1e6+0.5) * time.Microsecond
}

// packet reads such as "< S. 0:0(0) ack 1 win 1000 <mss 1460>".
func (r *drillReader) packet() *drillPacket {
	p := &drillPacket{out: r.text[r.at] == '>', win: -1}
	r.at++
	r.space()
	if r.take("[") {
		p.ecn = r.until("]")
		r.space()
	}
	if r.take("icmp") {
		return r.icmp(p)
	}
	p.flags = r.word("SFRP.EWA0123456789-")
	// "S 0:0(0)" and "5 0:0(0)" alike: flags end at white space.
	r.space()
	p.from = r.number()
	r.want(":")
	p.to = r.number()
	r.want("(")
	p.length = r.number()
	r.want(")")
	for {
		begin := r.at
		r.word(" \t")
		switch {
		case r.take("ack "):
			p.ack, p.hasAck = r.number(), true
		case r.take("win "):
			p.win = int(r.number())
		case r.take("<...>"):
			p.anyOptions = true
		case r.take("<"):
			for option := range strings.SplitSeq(r.until(">"), ",") {
				if option = strings.Join(strings.Fields(option), " "); option != "" {
					p.options = append(p.options, option)
				}
			}
		default:
			r.at = begin
			return p
		}
	}
}

// icmp reads such as "unreachable frag_needed mtu 1000 [0:10(10)]".
func (r *drillReader) icmp(p *drillPacket) *drillPacket {
	for {
		r.word(" \t")
		switch {
		case r.take("["):
			p.from = r.number()
			r.want(":")
			p.to = r.number()
			r.until("]")
			return p
		case r.take("mtu "):
			p.mtu = int(r.number())
		default:
			w := r.word(drillName)
			if w == "" {
				return p
			}
			p.icmp = strings.TrimSpace(p.icmp + " " + w)
		}
	}
}

func (r *drillReader) systemCall() *drillCall {
	c := &drillCall{name: r.word(drillName)}
	if c.name == "" {
		r.fail("a step expected before %.30q", r.text[r.at:])
	}
	r.want("(")
	c.args = r.list(")")
	r.want("=")
	c.result = r.arg()
	begin := r.at
	r.word(" \t")
	if e := r.word(drillName); strings.HasPrefix(e, "E") {
		c.errno = e
		begin = r.at
		r.word(" \t")
	}
	if r.take("(") { // what the errno or the flags mean
		r.until(")")
	} else {
		r.at = begin
	}
	return c
}

func (r *drillReader) list(end string) (list []drillArg) {
	for r.space(); !r.take(end); r.space() {
		list = append(list, r.arg())
		r.space()
		r.take(",")
	}
	return list
}

func (r *drillReader) arg() (a drillArg) {
	r.space()
	switch {
	case r.take("..."):
		a.any = true
	case r.take("["):
		a.list = r.list("]")
	case r.take("{"):
		a.fields = map[string]drillArg{}
		for r.space(); !r.take("}"); r.space() {
			name := ""
			if !r.take("...,") { // a buffer, and its length
				name = r.word(drillName + ".")
				if r.take("(") { // a length: msg_iov(2)=
					r.until(")")
				}
				r.want("=")
			}
			a.fields[name] = r.arg()
			r.space()
			r.take(",")
		}
	case r.take(`"`):
		a.text = r.until(`"`)
	default:
		for {
			r.space()
			w := r.word("-" + drillName)
			if w == "" {
				r.fail("an argument expected before %.20q", r.text[r.at:])
			}
			a.words = append(a.words, w)
			if r.take("(") { // htons(8080)
				r.until(")")
				a.any = true
			}
			begin := r.at
			r.word(" \t")
			if !r.take("|") {
				r.at = begin
				break
			}
		}
	}
	return a
}

// has reports whether a flag is among the words.
func (a drillArg) has(flag string) bool { return slices.Contains(a.words, flag) }

// number is the value of a number, 0 without one.
func (a drillArg) number() int {
	if len(a.list) > 0 {
		return a.list[0].number()
	}
	for _, w := range a.words {
		if n, err := strconv.ParseInt(w, 0, 64); err == nil {
			return int(n)
		}
	}
	return 0
}

// cookie returns the bytes of "FO 0011", "FOEXP 0011".
func drillCookie(option string) []byte {
	_, text, _ := strings.Cut(option, " ")
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil {
		panic(fmt.Errorf("cookie in %q: %v", option, err))
	}
	return b
}
