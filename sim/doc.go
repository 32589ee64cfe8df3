// Package sim is a network path between two hosts, A and B: links with delay,
// rate, queue and faults, and middleboxes that meddle with TCP Fast Open the
// way those in the wild do.
//
// # Usage
//
// A path is a chain of hops from A to B. What goes the other way meets them in
// reverse order, so where a hop stands says what happens before it and after:
//
//	var atA sim.Tap
//	p := sim.NewPath(seed, &atA, sim.Delay(25*time.Millisecond), sim.DropSYNData(), sim.Delay(25*time.Millisecond))
//
// The path has no clock and no goroutine. On a virtual clock, the caller hands
// it packets and time:
//
//	p.Send(now, sim.AtoB, packet)
//	for {
//		pkt, ok := p.Receive(now)
//		if !ok {
//			break
//		}
//		deliver(pkt.Dir, pkt.Data)
//	}
//	now = p.Deadline() // when to call Receive next
//
// In real time, a [Bridge] does so between two devices, such as TUN devices in
// two network namespaces:
//
//	b, err := sim.NewBridge(tunA, tunB, p)
//	defer b.Close()
//
// Packets are whole IPv4 or IPv6 packets. The same seed and the same calls
// give the same result.
//
// # Limitations
//
// Middleboxes do not look into fragments. Links do not fragment: a packet that
// is too long for an [MTU] is dropped whether or not it may be cut.
package sim
