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
// [Attach] turns it on in a server that runs, without its help, and a [Keeper]
// keeps it on while that is reloaded and restarted:
//
//	listeners, err := kernel.Listeners()
//	for _, l := range listeners {
//		if l.Local.Port() == 443 {
//			_, err = kernel.Attach(l, 0)
//		}
//	}
//
// # Limitations
//
// Linux only; elsewhere everything that asks the kernel returns
// [errors.ErrUnsupported].
package kernel
