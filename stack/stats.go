package stack

// Stats are a host's counters. They only grow.
type Stats struct {
	PacketsIn, PacketsOut uint64 // as they cross a link: super-segments count once
	BytesIn, BytesOut     uint64 // with IP headers
	SegmentsIn            uint64
	SegmentsOut           uint64
	Opened                uint64 // connections begun here (ActiveOpens)
	Accepted              uint64 // and by SYNs of others (PassiveOpens)
	ResetsOut             uint64 // RSTs to segments for no connection
	TimeWaits             uint64 // connections that went into TIME-WAIT
	FastOpen              FastOpenStats
	SYNCookies            SYNCookieStats
	Drops                 Drops
}

// FastOpenStats are the counters that Linux has of Fast Open (TCPFastOpen... in
// TcpExt), by its names and in its meaning.
type FastOpenStats struct {
	Active         uint64 // the SYN-ACK acknowledged all of the data in our SYN
	ActiveFail     uint64 // it did not, or a connection with Fast Open got no answers
	Passive        uint64 // connections opened by a SYN that was trusted
	PassiveFail    uint64 // cookies that no key has made
	ListenOverflow uint64 // SYNs that were treated as plain, because too many were pending
	CookieReqd     uint64 // SYNs that asked for a cookie
	Blackhole      uint64 // connections that lost all that followed the handshake
	PassiveAltKey  uint64 // of Passive, those by a backup key
}

// SYNCookieStats are Linux's SyncookiesSent, SyncookiesRecv, SyncookiesFailed.
type SYNCookieStats struct{ Sent, Recv, Failed uint64 }

// Drops are packets that came and were not used, by reason.
type Drops struct {
	Malformed        uint64 // not an IP packet, or cut short
	NotOurs          uint64 // to an address that the host does not have
	BadSource        uint64 // from an address that nobody can have
	SourceRoute      uint64 // with a route of its own to go on
	BadTCP           uint64 // not a TCP segment, or with a wrong checksum
	BadUDP           uint64
	BadICMP          uint64
	BadICMPQuote     uint64 // errors about nothing that the host has sent
	OutOfWindowICMP  uint64 // errors about data that is not on its way any more, or never was
	UnknownProtocol  uint64
	Fragments        uint64 // fragments that could not be put together
	NoSocket         uint64 // segments and datagrams to a port that nobody has
	ListenOverflows  uint64 // SYNs, because too many connections wait for Accept
	BadSYN           uint64 // SYNs that no connection can come of
	TooManySockets   uint64 // SYNs, because the host has all the connections it may
	ReceiveQueueFull uint64 // datagrams to a socket that nobody reads from
	RateLimited      uint64 // ICMP messages that were not sent
	Loopback         uint64 // packets to the host itself, because too many wait
	NoNeighbour      uint64 // packets to be sent to a neighbour who does not answer
	NoRoute          uint64 // packets to be sent with nowhere to go
	Link             uint64 // packets that a link did not take
}

// Stats returns the counters as they are.
func (h *Host) Stats() Stats {
	s := h.stats
	s.addListeners(h)
	return s
}

// addListeners adds what the listeners of the moment count.
func (s *Stats) addListeners(h *Host) {
	for _, l := range h.listeners {
		s.addListener(l)
	}
}

func (s *Stats) addListener(l *Socket) {
	n := &l.ext.listener.Stats
	s.FastOpen.Passive += n.Passive
	s.FastOpen.PassiveFail += n.PassiveFail
	s.FastOpen.PassiveAltKey += n.PassiveAltKey
	s.FastOpen.ListenOverflow += n.ListenOverflow
	s.FastOpen.CookieReqd += n.CookieReqd
	s.SYNCookies.Sent += n.SyncookiesSent
	s.SYNCookies.Recv += n.SyncookiesRecv
	s.SYNCookies.Failed += n.SyncookiesFail
	s.Drops.ListenOverflows += n.ListenOverflows
	s.Drops.BadSYN += n.Malformed
}
