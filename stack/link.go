package stack

import "github.com/fastopen-go/fastopen/wire"

// A Link is how packets leave this machine and come to it. What package link
// makes is one.
//
// If it has the method HardwareAddr() net.HardwareAddr, its packets are Ethernet
// frames, and the stack finds the neighbours by ARP and neighbour discovery.
//
// If it has the methods Poll and Done, as TUN queues and Ethernet of package link do, a
// call of the stack that waits looks for packets itself for a short time before it
// sleeps, where answers tend to come so soon.
type Link interface {
	// Receive waits for packets, fills as many elements of batch as there
	// are, and returns how many. What they show is the link's memory, which
	// may be changed and is good until the next Receive, but for buffers
	// that were exchanged: see [wire.Packet]. After Close the error is
	// [os.ErrClosed].
	Receive(batch []wire.Packet) (n int, err error)

	// Send gives packets to the link and never waits: it returns how many
	// were taken, and drops the others. What they show is the caller's again
	// when it returns. Packets longer than the MTU have Split set, and
	// checksums may be only begun: the link cuts and sums, or has it done.
	//
	// A Link must not call the Stack that sends on it from Send.
	Send(batch []wire.Packet) (n int, err error)

	// MTU is the length of the longest IP packet, in bytes.
	MTU() (int, error)

	// Close ends the link, and Receive.
	Close() error
}
