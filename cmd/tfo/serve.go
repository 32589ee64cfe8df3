package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen"
)

const serveLong = `serve offers the files of DIR over HTTP, and over HTTPS if it has a certificate,
with TCP Fast Open on. Without DIR it offers a page that tells each visitor how
their connection was opened; /outcome tells it as JSON.

HTTP is on --listen and HTTPS on --listen-tls; --listen none leaves HTTP out.
With --self-signed the certificate is made at the start, kept in memory and
signed by nobody, for trying: visitors have to accept it.

Of DIR nothing outside of it is offered, also not through symbolic links, and
nothing whose name begins with a dot, except .well-known. A directory shows its
index.html, or a list.

A request that came in the SYN may be the repetition of one that was carried out
before. So if its method is not safe (such as POST) it waits until the handshake
is done, which no repetition gets through. Safe ones are answered at once.

Each request is a line on stdout with what Fast Open did for its connection; all
else goes to stderr. SIGTERM or Ctrl+C stops the server once the requests under
way are done, a second one at once. Then comes how many connections were fast.
` + ownTCPLong + `

Exit codes: 0 stopped as asked, 1 it could not start or go on, or requests were
cut off at the end, 2 the command line is wrong.`

const serveExample = `  tfo serve
  tfo serve ./public --listen :8000
  tfo serve --self-signed
  tfo serve ./public --listen :80 --listen-tls :443 --cert site.pem --key site.key
  tfo serve --json | jq 'select(.outcome == "data-accepted")'
  tfo serve --stack tun0 --addr 10.0.0.2/24`

// serveFlags are the flags of tfo serve.
type serveFlags struct {
	listen     []string
	listenTLS  []string
	cert, key  string
	selfSigned bool
	queue      int
	keys       string
	mptcp      bool
	grace      seconds
	json       bool
	own        ownTCP
}

func newServe() *cobra.Command {
	f := &serveFlags{grace: seconds(10 * time.Second)}
	cmd := &cobra.Command{
		Use:     "serve [DIR]",
		Short:   "Serve HTTP and HTTPS with Fast Open, and say what it did",
		Long:    serveLong,
		Example: serveExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%d directories to serve, and there can be one: start one server for each", len(args))
			}
			return nil
		},
	}
	cmd.RunE = verb(func(cmd *cobra.Command, args []string) error {
		dir := ""
		if len(args) == 1 {
			dir = args[0]
		}
		stop := make(chan os.Signal, 2)
		signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
		defer signal.Stop(stop)
		s, err := newSite(f, dir, cmd)
		if err != nil {
			return err
		}
		return s.run(stop)
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&f.listen, "listen", "l", []string{":8080"}, "offer HTTP on `ADDR` (HOST:PORT, :PORT for every address, or none); can be repeated")
	flags.StringArrayVar(&f.listenTLS, "listen-tls", nil, "offer HTTPS on `ADDR` (default :8443 if there is a certificate); can be repeated")
	flags.StringVar(&f.cert, "cert", "", "PEM `FILE` with the certificate, and with those that vouch for it")
	flags.StringVar(&f.key, "key", "", "PEM `FILE` with the certificate's private key")
	flags.BoolVar(&f.selfSigned, "self-signed", false, "make a certificate for trying")
	flags.IntVar(&f.queue, "queue", fastopen.DefaultQueue, "at most `N` connections may have sent data and not finished their handshake; 0 switches Fast Open off")
	flags.StringVar(&f.keys, "keys", "", "make cookies with the keys in `FILE`, written as net.ipv4.tcp_fastopen_key is; the default are the kernel's own")
	flags.BoolVar(&f.mptcp, "mptcp", false, "accept Multipath TCP too")
	flags.Var(&f.grace, "grace", "how long requests may take to end when the server is stopped")
	flags.BoolVar(&f.json, "json", false, "print every event as a JSON object on a line of stdout")
	f.own.flags(cmd, false)
	return cmd
}

// check finds flags that do not go together, and completes them.
func (f *serveFlags) check() error {
	switch {
	case (f.cert == "") != (f.key == ""):
		return usagef("--cert and --key belong together: give both files")
	case f.cert != "" && f.selfSigned:
		return usagef("--self-signed makes a certificate and --cert names one: use one of them")
	case f.queue < 0:
		return usagef("--queue %d is negative: use 0 to switch Fast Open off", f.queue)
	case f.mptcp && f.own.device != "":
		return usagef("--mptcp is the kernel's, which --stack does without: use one of them")
	}
	if err := f.own.check(); err != nil {
		return err
	}
	secure := f.selfSigned || f.cert != ""
	switch {
	case len(f.listenTLS) > 0 && !secure:
		return usagef("--listen-tls needs a certificate: give --cert and --key, or --self-signed for trying")
	case len(f.listenTLS) == 0 && secure:
		f.listenTLS = []string{":8443"}
	}
	if len(f.listen) == 1 && f.listen[0] == "none" {
		f.listen = nil
	}
	if len(f.listen)+len(f.listenTLS) == 0 {
		return usagef("--listen none leaves nothing to serve: give a certificate for HTTPS, or an address for HTTP")
	}
	for _, list := range [][]string{f.listen, f.listenTLS} {
		for _, address := range list {
			if err := checkAddress(address); err != nil {
				return err
			}
		}
	}
	return nil
}
