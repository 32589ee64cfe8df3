package fastopen_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/tfo"
)

// An http.Client whose requests that are safe to repeat, and whose TLS
// handshakes, ride in the SYN.
func ExampleDialer_httpClient() {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = new(fastopen.Dialer).DialContext
	// The post-quantum key exchange that crypto/tls offers by default makes
	// a ClientHello that does not fit into a SYN. Leave it out only if one
	// round trip is worth more to you.
	t.TLSClientConfig = &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}
	client := &http.Client{Transport: t}
	_ = client
}

// A server that is told what came of each connection.
func ExampleListenConfig_httpServer() {
	l, err := fastopen.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if err := l.FastOpen(); err != nil {
		fmt.Println("serving over plain TCP:", err)
	}
	s := &http.Server{
		ConnContext: fastopen.ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := fastopen.FromContext(r.Context())
			if c.Early() && r.Method == http.MethodPost {
				// Not before it is certain that this is no repetition.
				if err := c.Confirmed(r.Context()); err != nil {
					return
				}
			}
			fmt.Fprintln(w, c.Outcome())
		}),
	}
	go s.Serve(l)
	s.Close()
}

// A protocol of one's own, of which the first message may arrive twice.
func ExampleDialer_DialEarly() {
	var d fastopen.Dialer
	c, err := d.DialEarly(context.Background(), "tcp", "db.example.com:5432", []byte("PING\n"))
	if err != nil {
		return
	}
	defer c.Close()
	if o := c.Outcome(); o.Saved() {
		fmt.Println(o)
	}
}

// One set of keys for all listeners of a fleet, rotated while they run.
func ExampleListenConfig_keys() {
	keys, err := tfo.ParseKeys("a0bf63f7-ed803d81-cd641d30-cebc4a90")
	if err != nil {
		panic(err)
	}
	ring := tfo.NewKeyring(keys)
	lc := fastopen.ListenConfig{Keys: ring}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	// The old key goes on to verify, as the backup.
	ring.Set(tfo.NewKeys(tfo.GenerateKeys().Primary(), keys.Primary()))
}

// A dialer of the shape that gRPC takes (grpc.WithContextDialer).
func Example_contextDialer() {
	var d fastopen.Dialer
	dial := func(ctx context.Context, addr string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", addr)
	}
	_ = dial
}
