package wg_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/link/wg"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// A client at the end of a tunnel. Its second connection to a server, and all
// after that, have the request in the SYN.
func Example() {
	tun, tnet, err := wg.CreateNetTUN(
		[]netip.Addr{netip.MustParseAddr("192.168.4.28")},
		[]netip.Addr{netip.MustParseAddr("8.8.8.8")},
		1420)
	if err != nil {
		log.Fatal(err)
	}
	dev := device.NewDevice(tun, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, ""))
	err = dev.IpcSet(`private_key=087ec6e14bbed210e7215cdc73468dfa23f080a1bfb8665b2fd809bd99d28379
public_key=c4c8e984c5322c8184c72265b92b250fdb63688705f504ba003c88f03393cf28
allowed_ip=0.0.0.0/0
endpoint=127.0.0.1:58120
`)
	if err != nil {
		log.Fatal(err)
	}
	if err := dev.Up(); err != nil {
		log.Fatal(err)
	}
	defer dev.Close()

	dialer := &fastopen.Dialer{Network: tnet, Resolver: tnet.Stack().Resolver()}
	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	res, err := client.Get("http://192.168.4.29/")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Println(string(body), err)
}
