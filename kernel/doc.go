// Package kernel says how this host's kernel is set up for TCP Fast Open
// (RFC 7413).
//
// # Usage
//
//	bits, err := kernel.FastOpen()
//	if err == nil && !bits.Server() {
//		fmt.Println("turn it on with:", bits.TurnOn(kernel.ServerBit))
//	}
//
// [Listeners] tells who listens, and in which of the sockets Fast Open is on.
//
// # Limitations
//
// Linux only; elsewhere everything that asks the kernel returns
// [errors.ErrUnsupported].
package kernel
