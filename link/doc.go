// Package link moves packets between this process and the outside.
//
// # Links
//
// [Pipe], [TUNQueue], [Ethernet] and [DeviceLink] are links: they have the methods
//
//	Receive(batch []wire.Packet) (n int, err error)
//	Send(batch []wire.Packet) (n int, err error)
//	MTU() (int, error)
//	Close() error
//
// Receive waits until there is at least one packet, fills as many elements of
// batch as there are packets, and returns how many. Each packet lies whole in
// its Head, a view into memory of the link: it may be changed, and is good
// until the next Receive. A long packet may come with a [wire.Buffer], to be kept
// in exchange for another: then its data needs no copy to wait in. One goroutine at a time may call Receive. After Close
// the error is [os.ErrClosed].
//
// Send never waits. It returns how many packets were taken; what there was no
// room for is dropped, as on any network, and counted by the link, and is no
// error. The packets remain the caller's, who may change them and what they
// point to as soon as Send has returned: so a packet can be headers in some
// scratch memory and data in the send buffer of a connection, and there is no
// copy between that and the kernel. Send may be called from several goroutines
// at once. An error is a packet that is not one (the others are still sent), or
// [os.ErrClosed].
//
// MTU is the length of the longest IP packet, in bytes.
//
// Segmentation and checksums are the business of the link, whether it has
// somebody to hand them on to or does them itself: every link takes packets of
// up to 65,535 bytes with [wire.Packet].Split set and with checksums that are
// only begun (wire.Partial). It may give such packets as well: received packets
// say by Check whether their checksum is still to be verified, and by Split
// whether several have been put together.
//
// Packets are IP packets, without any header of the link, unless the link has
// the method
//
//	HardwareAddr() net.HardwareAddr
//
// On such a link they are Ethernet frames: Head begins with the 14 bytes of the
// Ethernet header, CheckStart counts from there, and who uses it finds the
// neighbours. Only [Ethernet] has it.
//
// [TUNQueue] and [Ethernet] can also be asked for packets without waiting, by
//
//	Poll(batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error)
//	Done()
//
// Any number of goroutines may call it, also while another waits in Receive, and
// packets stay in order: those of one call are with deliver before others are read,
// and while those of a Receive are lent, until the next or Done, Poll has none. What is
// shown to deliver is good until it returns.
//
// # Devices
//
// Programs that have packets in plain buffers use [TUN], or any device with the
// methods of golang.zx2c4.com/wireguard/tun.Device:
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
// may use for a header of its own, so that no layer copies. [FromDevice] makes a link
// of such a device: it cuts, sums and puts together in software.
//
// # Limitations
//
// TUN devices and Ethernet are for Linux; elsewhere opening one returns an error
// that is [errors.ErrUnsupported].
package link
