package wg_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"strings"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/link/wg"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// peer is one end of a tunnel.
type peer struct {
	net *wg.Net
	dev *device.Device
	key *ecdh.PrivateKey
}

// newPeer makes an end with an address and a key of its own.
func newPeer(addr string) *peer {
	tun, tnet, err := wg.CreateNetTUN([]netip.Addr{netip.MustParseAddr(addr)}, nil, 1420)
	if err != nil {
		log.Fatal(err)
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	dev := device.NewDevice(tun, conn.NewDefaultBind(), device.NewLogger(device.LogLevelSilent, ""))
	if err := dev.IpcSet(fmt.Sprintf("private_key=%x\n", key.Bytes())); err != nil {
		log.Fatal(err)
	}
	if err := dev.Up(); err != nil {
		log.Fatal(err)
	}
	return &peer{tnet, dev, key}
}

// meet tells an end where the other one is.
func (p *peer) meet(other *peer) {
	state, err := other.dev.IpcGet()
	if err != nil {
		log.Fatal(err)
	}
	_, port, _ := strings.Cut(state, "listen_port=")
	port, _, _ = strings.Cut(port, "\n")
	err = p.dev.IpcSet(fmt.Sprintf("public_key=%x\nendpoint=127.0.0.1:%s\nallowed_ip=0.0.0.0/0\n", other.key.PublicKey().Bytes(), port))
	if err != nil {
		log.Fatal(err)
	}
}

// A server and a client at the two ends of a tunnel, in one program. The client's
// second request rides in the SYN.
func Example_tunnel() {
	server, client := newPeer("192.168.4.1"), newPeer("192.168.4.2")
	defer server.dev.Close()
	defer client.dev.Close()
	server.meet(client)
	client.meet(server)

	lc := fastopen.ListenConfig{Network: server.net}
	l, err := lc.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{
		ConnContext: fastopen.ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello %s, request in the SYN: %v", r.RemoteAddr[:11], fastopen.FromContext(r.Context()).Early())
		}),
	}
	go s.Serve(l)
	defer s.Close()

	// Without a second, plain connection where an answer is late: on a busy
	// machine the output is to be the same.
	dialer := &fastopen.Dialer{Network: client.net, FallbackDelay: -1}
	c := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	for range 2 {
		res, err := c.Get("http://192.168.4.1/")
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		fmt.Printf("%s\n", body)
	}
	// Output:
	// hello 192.168.4.2, request in the SYN: false
	// hello 192.168.4.2, request in the SYN: true
}
