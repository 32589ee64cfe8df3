// Package link moves packets between this process and the outside: batches of
// whole IP packets, in buffers that belong to the caller.
//
// # Usage
//
//	dev, err := link.OpenTUN(link.TUNConfig{Name: "tun0", MTU: 1500})
//	bufs, sizes := make([][]byte, dev.BatchSize()), make([]int, dev.BatchSize())
//	// each of bufs with room for offset+MTU bytes
//	n, err := dev.Read(bufs, sizes, offset)
//	for i := range n {
//		packet := bufs[i][offset:][:sizes[i]]
//	}
//	n, err = dev.Write(bufs[:n], offset)
//
// offset is headroom: bytes before each packet that a device above or below
// may use for a header of its own, so that no layer copies. A TUN device of
// package golang.zx2c4.com/wireguard/tun has the same methods.
//
// # Limitations
//
// TUN devices are for Linux; elsewhere OpenTUN returns an error that is
// [errors.ErrUnsupported].
package link
