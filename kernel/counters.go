package kernel

import (
	"fmt"
	"strings"
)

// Counters are what the kernel has counted in a network namespace since that
// was made: for the host's own since the host started. A counter that an older
// kernel does not have reads as 0.
type Counters struct {
	// Of connections that this host opens.
	ActiveOpens uint64 // connections begun, of any kind
	Active      uint64 // TCPFastOpenActive: the server took all the data of the SYN
	ActiveFail  uint64 // TCPFastOpenActiveFail: it did not, or packets of such a connection were lost again and again
	Blackhole   uint64 // TCPFastOpenBlackhole: a path seemed to swallow Fast Open, so it paused for all

	// Of connections that this host accepts.
	PassiveOpens   uint64 // connections accepted, of any kind
	CookieReqd     uint64 // TCPFastOpenCookieReqd: a SYN asked for a cookie
	Passive        uint64 // TCPFastOpenPassive: a SYN opened a connection at once
	PassiveAltKey  uint64 // TCPFastOpenPassiveAltKey: of these, by the backup key
	PassiveFail    uint64 // TCPFastOpenPassiveFail: a SYN had a cookie that no key made
	QueueOverflow  uint64 // TCPFastOpenListenOverflow: the listener's Fast Open queue was full
	AcceptOverflow uint64 // ListenOverflows: the listener's accept queue was full
	ListenDrops    uint64 // ListenDrops: SYNs and handshakes dropped for that and other reasons
	SYNCookies     uint64 // TCPReqQFullDoCookies: a SYN flood was suspected, which suspends Fast Open

	// Of both.
	SYNRetransmits uint64 // TCPSynRetrans: SYNs and SYN-ACKs sent once more
}

// A Counter is one of the [Counters], and what it means.
type Counter struct {
	Name    string // the kernel's: "TCPFastOpenActive", as nstat prints after the name of the table
	Table   string // "TcpExt" or "Tcp"
	Value   uint64
	Meaning string // exactly what adds 1 to it
	Server  bool   // counts what comes in
	Trouble bool   // more than now and then, it should be looked into
}

// counters says where the kernel has each of them, and what adds one. The
// meanings were tried out on Linux 6.18 and read in its
// net/ipv4/tcp_fastopen.c, tcp_input.c and tcp_timer.c.
var counters = []struct {
	Counter
	field func(*Counters) *uint64
}{
	{Counter{Table: "TcpExt", Name: "TCPFastOpenCookieReqd", Server: true,
		Meaning: "A SYN asked for a Fast Open cookie, whether or not this host grants any."},
		func(c *Counters) *uint64 { return &c.CookieReqd }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenPassive", Server: true,
		Meaning: "A SYN opened a connection at once, most often by a valid cookie, with or without data."},
		func(c *Counters) *uint64 { return &c.Passive }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenPassiveAltKey", Server: true,
		Meaning: "A SYN opened a connection at once by a cookie that the backup key made."},
		func(c *Counters) *uint64 { return &c.PassiveAltKey }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenPassiveFail", Server: true, Trouble: true,
		Meaning: "A SYN had a cookie that no key of this host made, or there was no memory for the connection."},
		func(c *Counters) *uint64 { return &c.PassiveFail }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenListenOverflow", Server: true, Trouble: true,
		Meaning: "A SYN with data or a Fast Open option found the Fast Open queue of its listener full and was taken as a plain one."},
		func(c *Counters) *uint64 { return &c.QueueOverflow }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenActive",
		Meaning: "A server acknowledged all the data of a SYN."},
		func(c *Counters) *uint64 { return &c.Active }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenActiveFail", Trouble: true,
		Meaning: "A server left data of a SYN unacknowledged, or three packets in a row of a Fast Open connection, of either direction, were lost."},
		func(c *Counters) *uint64 { return &c.ActiveFail }},
	{Counter{Table: "TcpExt", Name: "TCPFastOpenBlackhole", Trouble: true,
		Meaning: "A path seemed to swallow Fast Open connections, so this host stopped opening any for a while."},
		func(c *Counters) *uint64 { return &c.Blackhole }},
	{Counter{Table: "TcpExt", Name: "ListenOverflows", Server: true, Trouble: true,
		Meaning: "A connection was dropped because the accept queue of its listener was full: the program accepts too slowly."},
		func(c *Counters) *uint64 { return &c.AcceptOverflow }},
	{Counter{Table: "TcpExt", Name: "ListenDrops", Server: true, Trouble: true,
		Meaning: "A listener dropped a SYN or the end of a handshake, for a full accept queue or another reason."},
		func(c *Counters) *uint64 { return &c.ListenDrops }},
	{Counter{Table: "TcpExt", Name: "TCPReqQFullDoCookies", Server: true, Trouble: true,
		Meaning: "So many handshakes were unfinished that a SYN was answered with a SYN cookie, which rules Fast Open out."},
		func(c *Counters) *uint64 { return &c.SYNCookies }},
	{Counter{Table: "TcpExt", Name: "TCPSynRetrans",
		Meaning: "A SYN or a SYN-ACK was sent once more because no answer came."},
		func(c *Counters) *uint64 { return &c.SYNRetransmits }},
	{Counter{Table: "Tcp", Name: "ActiveOpens",
		Meaning: "This host began to open a connection of any kind."},
		func(c *Counters) *uint64 { return &c.ActiveOpens }},
	{Counter{Table: "Tcp", Name: "PassiveOpens", Server: true,
		Meaning: "This host accepted a connection of any kind."},
		func(c *Counters) *uint64 { return &c.PassiveOpens }},
}

// All returns every counter with its meaning, always in the same order.
func (c Counters) All() []Counter {
	list := make([]Counter, len(counters))
	for i, e := range counters {
		list[i] = e.Counter
		list[i].Value = *e.field(&c)
	}
	return list
}

// Sub returns what was counted since before. A counter that is less than
// before counts from 0: the namespace is another one.
func (c Counters) Sub(before Counters) (since Counters) {
	for _, e := range counters {
		n, b := *e.field(&c), *e.field(&before)
		if n < b {
			b = 0
		}
		*e.field(&since) = n - b
	}
	return since
}

// A Remark says in a sentence what counters amount to.
type Remark struct {
	Counter string // the one that it is about: "TCPFastOpenPassive"
	Server  bool   // about what comes in
	Trouble bool   // something went wrong
	Text    string
}

// Remarks turns the counters that are not 0 into sentences, first what came
// in, then what went out.
func (c Counters) Remarks() []Remark {
	var list []Remark
	say := func(n uint64, counter, one, many string) {
		if n == 0 {
			return
		}
		r := Remark{Counter: counter}
		for _, e := range counters {
			if e.Name == counter {
				r.Server, r.Trouble = e.Server, e.Trouble
			}
		}
		if r.Text = one; n != 1 {
			r.Text = strings.Replace(many, "%d", fmt.Sprint(n), 1)
		}
		list = append(list, r)
	}
	say(c.CookieReqd, "TCPFastOpenCookieReqd",
		"1 SYN asked for a Fast Open cookie.",
		"%d SYNs asked for a Fast Open cookie.")
	say(c.Passive, "TCPFastOpenPassive",
		"1 connection was opened by Fast Open: what came in its SYN was accepted at once.",
		"%d connections were opened by Fast Open: what came in their SYNs was accepted at once.")
	say(c.PassiveAltKey, "TCPFastOpenPassiveAltKey",
		"1 of them had a cookie of the backup key, and got one of the primary key.",
		"%d of them had a cookie of the backup key, and got one of the primary key.")
	say(c.PassiveFail, "TCPFastOpenPassiveFail",
		"1 SYN had a cookie that no key here made: an old one, another server's, or forged.",
		"%d SYNs had a cookie that no key here made: old ones, another server's, or forged.")
	say(c.QueueOverflow, "TCPFastOpenListenOverflow",
		"1 SYN found the Fast Open queue of its listener full, and was opened the plain way.",
		"%d SYNs found the Fast Open queue of their listener full, and were opened the plain way.")
	say(c.SYNCookies, "TCPReqQFullDoCookies",
		"1 SYN was answered as in a SYN flood, which rules Fast Open out.",
		"%d SYNs were answered as in a SYN flood, which rules Fast Open out.")
	say(c.AcceptOverflow, "ListenOverflows",
		"1 connection was dropped because the program that listens was too slow to accept it.",
		"%d connections were dropped because the program that listens was too slow to accept them.")
	say(c.Active, "TCPFastOpenActive",
		"1 connection from here sent data in its SYN and had all of it accepted.",
		"%d connections from here sent data in their SYN and had all of it accepted.")
	say(c.ActiveFail, "TCPFastOpenActiveFail",
		"Once Fast Open did not work: a server did not accept the data of a SYN, or packets were lost again and again.",
		"%d times Fast Open did not work: a server did not accept the data of a SYN, or packets were lost again and again.")
	say(c.Blackhole, "TCPFastOpenBlackhole",
		"Once a path seemed to swallow Fast Open, and this host stopped using it for a while.",
		"%d times a path seemed to swallow Fast Open, and this host stopped using it for a while.")
	return list
}
