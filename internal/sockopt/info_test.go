package sockopt

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// The three structures as their headers declare them, so that the decoders'
// offsets are held against the declarations.

// tcpConnectionInfo is struct tcp_connection_info of XNU's netinet/tcp.h.
type tcpConnectionInfo struct {
	State, SndWscale, RcvWscale, _                                                                uint8
	Options, Flags, Rto, Maxseg, SndSsthresh, SndCwnd, SndWnd, SndSbbytes, RcvWnd                 uint32
	Rttcur, Srtt, Rttvar                                                                          uint32
	FastOpen                                                                                      uint32 // bit field
	Txpackets, Txbytes, Txretransmitbytes, Rxpackets, Rxbytes, Rxoutoforderbytes, Txretransmitpkt uint64
}

// tcpInfoFreeBSD is struct tcp_info of FreeBSD's netinet/tcp.h.
type tcpInfoFreeBSD struct {
	State, CaState, Retransmits, Probes, Backoff, Options, Wscale, _ uint8
	Rto, Ato, SndMss, RcvMss                                         uint32
	Unacked, Sacked, Lost, Retrans, Fackets                          uint32
	LastDataSent, LastAckSent, LastDataRecv, LastAckRecv             uint32
	Pmtu, RcvSsthresh, Rtt, Rttvar, SndSsthresh, SndCwnd             uint32
	Advmss, Reordering, RcvRtt, RcvSpace                             uint32
	SndWnd, SndBwnd, SndNxt, RcvNxt, ToeTid                          uint32
	SndRexmitpack, RcvOoopack, SndZerowin                            uint32
	Pad                                                              [26]uint32
}

// tcpInfoV0 is TCP_INFO_v0 of Windows' mstcpip.h.
type tcpInfoV0 struct {
	State, Mss                                           uint32
	ConnectionTimeMs                                     uint64
	TimestampsEnabled                                    uint8
	_                                                    [3]uint8
	RttUs, MinRttUs, BytesInFlight, Cwnd, SndWnd, RcvWnd uint32
	RcvBuf                                               uint32
	BytesOut, BytesIn                                    uint64
	BytesReordered, BytesRetrans, FastRetrans, DupAcksIn uint32
	TimeoutEpisodes                                      uint32
	SynRetrans                                           uint8
	_                                                    [3]uint8
}

func pack(t testing.TB, v any, size int) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != size {
		t.Fatalf("%T has %d bytes, want %d", v, len(b), size)
	}
	return b
}

// The states of 4.4BSD's netinet/tcp_fsm.h.
const (
	tcpsClosed = iota
	tcpsListen
	tcpsSynSent
	tcpsSynReceived
	tcpsEstablished
	tcpsCloseWait
)

func TestDecodeXNU(t *testing.T) {
	const (
		cookieReq = 1 << iota
		cookieRcv
		synLoss
		synDataSent
		synDataAcked
		synDataRcv
		cookieReqRcv
		cookieSent
		cookieInvalid
		cookieWrong
		noCookieRcv
		heuristicsDisable
	)
	for _, c := range []struct {
		name     string
		state    uint8
		fastOpen uint32
		want     Info
	}{
		{"a client's data were accepted", tcpsEstablished, synDataSent | synDataAcked,
			Info{Answered: true, SynData: true}},
		{"a client's data were not", tcpsEstablished, synDataSent | cookieWrong | cookieRcv,
			Info{Answered: true, Failure: NotAcked}},
		{"a client's SYN with data was lost", tcpsEstablished, synDataSent | synLoss,
			Info{Answered: true, Failure: SynRetransmits}},
		{"data were accepted although the SYN-ACK was late", tcpsEstablished, synDataSent | synLoss | synDataAcked,
			Info{Answered: true, SynData: true}},
		{"a client had no cookie", tcpsEstablished, cookieReq | cookieRcv,
			Info{Answered: true, Failure: NoCookie}},
		{"and got none", tcpsEstablished, cookieReq | noCookieRcv,
			Info{Answered: true, Failure: NoCookie}},
		{"the kernel's pause", tcpsEstablished, heuristicsDisable,
			Info{Answered: true}},
		{"too much data", tcpsEstablished, 0,
			Info{Answered: true, Failure: NoRoom}},
		{"no answer yet", tcpsSynSent, synDataSent,
			Info{State: SynSent, Failure: NotAcked}},
		{"a server's child", tcpsSynReceived, synDataRcv,
			Info{State: SynReceived, SynData: true, Child: true, Failure: NoRoom}},
		{"a server's child, confirmed and half closed", tcpsCloseWait, synDataRcv,
			Info{Answered: true, SynData: true, Child: true, Failure: NoRoom}},
		{"a server's answer to a request", tcpsEstablished, cookieReqRcv | cookieSent,
			Info{Answered: true, Failure: NoRoom}},
		{"dead", tcpsClosed, 0,
			Info{State: Dead, Failure: NoRoom}},
	} {
		c.want.RTT, c.want.Received, c.want.Retrans = 103*time.Millisecond, 1<<40+1, 3
		got := decodeXNU(pack(t, tcpConnectionInfo{
			State: c.state, FastOpen: c.fastOpen,
			Rttcur: 99, Srtt: 103, Rttvar: 7,
			Txpackets: 9, Rxpackets: 8, Rxbytes: 1<<40 + 1, Rxoutoforderbytes: 5, Txretransmitpkt: 3,
		}, sizeTCPConnectionInfo))
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestDecodeFreeBSD(t *testing.T) {
	for _, c := range []struct {
		name   string
		state  uint8
		child  bool
		unread int
		want   Info
	}{
		{"plain", tcpsEstablished, false, 5, Info{Answered: true, Received: 5}},
		{"connecting", tcpsSynSent, false, 0, Info{State: SynSent}},
		{"a child with data", tcpsSynReceived, true, 5, Info{State: SynReceived, Child: true, SynData: true, Received: 5}},
		{"a child without", tcpsSynReceived, true, 0, Info{State: SynReceived, Child: true}},
		{"a confirmed child, whose data may be read already", tcpsEstablished, true, 0, Info{Answered: true, Child: true, SynData: true}},
		{"dead", tcpsClosed, false, 0, Info{State: Dead}},
	} {
		c.want.Failure, c.want.RTT = Untold, 103284*time.Microsecond
		got := decodeFreeBSD(pack(t, tcpInfoFreeBSD{State: c.state, RcvSsthresh: 1, Rtt: 103284, Rttvar: 2}, 236), c.child, c.unread)
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestDecodeWindows(t *testing.T) {
	for _, c := range []struct {
		name  string
		state uint32
		want  Info
	}{
		{"established", 4, Info{Answered: true}},
		{"connecting", 2, Info{State: SynSent}},
		{"accepted before the handshake is done", 3, Info{State: SynReceived, Child: true, SynData: true}},
		{"in TIME-WAIT", 10, Info{Answered: true}},
		{"dead", 0, Info{State: Dead}},
	} {
		c.want.Failure, c.want.RTT, c.want.Received, c.want.Retrans = Untold, 103284*time.Microsecond, 1<<40+1, 2
		got := decodeWindows(pack(t, tcpInfoV0{
			State: c.state, Mss: 1460, TimestampsEnabled: 1, RttUs: 103284, MinRttUs: 99,
			BytesOut: 7, BytesIn: 1<<40 + 1, TimeoutEpisodes: 9, SynRetrans: 2,
		}, sizeTCPInfoV0))
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// FuzzDecode looks for contradictions in what the decoders say.
func FuzzDecode(f *testing.F) {
	f.Add(pack(f, tcpConnectionInfo{State: tcpsEstablished, FastOpen: 0x18}, sizeTCPConnectionInfo), true, 5)
	f.Add(pack(f, tcpInfoV0{State: 3}, sizeTCPInfoV0), false, 0)
	f.Fuzz(func(t *testing.T, b []byte, child bool, unread int) {
		b = append(b, bytes.Repeat([]byte{0}, sizeTCPInfoFreeBSD)...) // what a kernel does not fill stays 0
		for name, i := range map[string]Info{
			"XNU": decodeXNU(b), "FreeBSD": decodeFreeBSD(b, child, unread), "Windows": decodeWindows(b),
		} {
			if i.State != Other && i.Answered {
				t.Errorf("%s: answered, but %+v", name, i)
			}
			if i.State == SynReceived && !i.Child && name != "FreeBSD" {
				t.Errorf("%s: accepted before its handshake, and no child: %+v", name, i)
			}
			if i.SynData && name == "XNU" && !i.Child && i.Failure != NoFailure {
				t.Errorf("%s: data accepted and failed: %+v", name, i)
			}
		}
	})
}
