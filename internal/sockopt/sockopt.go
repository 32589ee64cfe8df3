package sockopt

import (
	"errors"
	"time"
)

// ErrDisabled says that the operating system knows Fast Open, but the
// host's settings have it switched off. They can be switched on at any
// moment, so nobody should remember this error.
var ErrDisabled = errors.New("fast open is switched off by the host's settings")

// A State is as much of a TCP connection's state as Fast Open cares about.
type State uint8

const (
	Other       State = iota // established, or closing in good order
	SynSent                  // no SYN-ACK yet; also a deferred connect that sent nothing
	SynReceived              // a Fast Open child whose handshake is not confirmed
	Dead                     // closed: refused, reset, timed out
)

// A Failure is why the kernel says that data in a SYN did not work. The
// first four are Linux's tcpi_fastopen_client_fail (5.5 and later). It means
// something only on the client's side of a connection that was to use Fast
// Open.
type Failure uint8

const (
	NoFailure      Failure = iota // nothing to report, or nothing was tried
	NoCookie                      // there was no cookie: one was asked for
	NotAcked                      // the SYN-ACK did not acknowledge the data
	SynRetransmits                // … and the SYN had been sent more than once
	NoRoom                        // the kernel held the data back: with the cookie they did not fit (macOS)
	Untold                        // the system does not tell (FreeBSD, Windows)
)

// Info is what the operating system tells of a connection's beginning.
type Info struct {
	State    State
	SynData  bool    // data in the SYN was acknowledged (client), or queued (server)
	Child    bool    // the server opened this connection at its SYN (not before Linux 6.14)
	Failure  Failure // client only
	Answered bool    // the peer acknowledged something: the handshake went through
	RTT      time.Duration
	Retrans  int    // segments sent again since the start, SYNs included
	Backoff  int    // consecutive retransmission timeouts that nothing has answered yet
	Received uint64 // bytes of data
}
