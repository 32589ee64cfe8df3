// Package sim is a network path between two hosts, A and B: links with delay,
// rate, queue and faults, and middleboxes that meddle with TCP Fast Open the
// way those in the wild do; and whole networks of hosts joined by such paths.
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
// A [Net] is hosts of package tcp, joined by paths, on one virtual clock:
//
//	n := sim.NewNet(seed)
//	client, server := n.Host("client", addrA), n.Host("server", addrB)
//	n.Join(client, server, sim.Delay(25*time.Millisecond), sim.DropSYNData(), sim.Delay(25*time.Millisecond))
//	server.Listen(service, tcp.ListenConfig{}, func(c *tcp.Conn) sim.App { return answer })
//	client.Dial(service, request, read)
//	n.Run(time.Hour)
//
// Its Log has a line for each packet that a host sends (>) or receives (<), in
// the notation of package wire, with sequence numbers and timestamps counted
// from the first of each side:
//
//	5100.000 client   44997 > S 0:200(200) win 65535 <mss 1460,sackOK,TS 0/0,wscale 7,fo 8 bytes>
//	5125.000 server     443 < S 0:200(200) win 65535 <mss 1460,sackOK,TS 0/0,wscale 7,fo 8 bytes>
//
// The traces in testdata tell what Fast Open does, story by story. A [Pcap] hop
// writes what passes to a file for Wireshark.
//
// Of the two commands beside the package, torture makes a million connections
// across everything that harms them and checks each, and throughput measures
// what a transfer makes of a path's rate.
//
// # Limitations
//
// Middleboxes do not look into fragments. Links do not fragment: a packet that
// is too long for an [MTU] is dropped whether or not it may be cut.
package sim
