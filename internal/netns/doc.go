// Package netns gives tests network namespaces of their own: several hosts on
// the real Linux kernel, each with its own interfaces, sysctls, TCP metrics
// and counters, and nothing left behind even when the test is killed.
//
// # Usage
//
// A test asks to be run again inside a fresh namespace and, there, makes as
// many further hosts as it needs:
//
//	func TestDial(t *testing.T) {
//		if netns.Isolate(t) {
//			return // it ran, in a process of its own
//		}
//		client, server := netns.Self(t), netns.New(t, "server")
//		netns.Veth(t, client, server)
//		server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
//		var l net.Listener
//		server.Do(func() { l, _ = net.Listen("tcp", "10.77.0.2:0") })
//		// goroutines of this process dial as the client
//	}
//
// [Path] joins two hosts by a path of package sim instead, with delay, loss and
// middleboxes, and taps that record what passes:
//
//	var atClient sim.Tap
//	netns.Path(t, client, server, sim.NewPath(seed, &atClient, sim.Delay(50*time.Millisecond)))
//
// Times measured on it are never shorter than those of the path, but a busy
// machine makes them longer. What must hold on any machine is better shown by
// what is let through: an answer that comes while a sim.Drop holds back all
// but the SYN took one round trip.
//
// A socket belongs for its whole life to the namespace in which it was made,
// so a listener made inside [Host.Do] serves that host from any goroutine.
// Everything else in the process, whatever its thread, is the client.
//
// Isolation asks for the right to make namespaces: root, or unprivileged user
// namespaces. Without it the test is skipped, or fails when the environment
// says FASTOPEN_CI=1.
//
// # Limitations
//
// Linux only; elsewhere Isolate skips. Only the network is separate: files and
// processes are those of the machine. Goroutines that f starts inside
// [Host.Do] are not on that host.
package netns
