// Package wg is a userspace network stack with TCP Fast Open at the end of a
// WireGuard tunnel: no TUN device, no privileges. It takes the place of
// golang.zx2c4.com/wireguard/tun/netstack, with the same names.
//
// # Usage
//
// Change the import, and nothing else:
//
//	dev, tnet, err := wg.CreateNetTUN(
//		[]netip.Addr{netip.MustParseAddr("192.168.4.29")},
//		[]netip.Addr{netip.MustParseAddr("8.8.8.8")},
//		1420)
//	d := device.NewDevice(dev, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, ""))
//	d.IpcSet(config)
//	d.Up()
//	client := http.Client{Transport: &http.Transport{DialContext: tnet.DialContext}}
//
// For Fast Open, give the [Net] to package fastopen, which says when data may
// ride in a SYN:
//
//	dialer := &fastopen.Dialer{Network: tnet, Resolver: tnet.Stack().Resolver()}
//	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
//
//	lc := fastopen.ListenConfig{Network: tnet}
//	l, err := lc.Listen(ctx, "tcp", ":80")
//
// # Differences
//
// Connections and listeners are of package stack, where they were of gVisor's
// gonet: [*stack.Conn], [*stack.Listener], [*stack.UDPConn]. Their errors are
// those of package net: [net.ErrClosed], [syscall.ECONNREFUSED] and so on by
// [errors.Is].
//
// The MTU has to be at least 576, or with an IPv6 address 1280, of which neither
// family could use less.
//
// # Limitations
//
// A [PingConn] sends echo requests and receives their replies, no errors.
package wg
