package main

import (
	"context"
	"errors"
	"net/url"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const getLong = `get fetches URLs like curl and says what TCP Fast Open did. Every request is
made on a connection of its own: the first one to a server asks for a cookie,
which the kernel keeps; from the next one on, in this run or another, the
request (or for https the TLS hello) rides in the SYN.

The body goes to stdout and the report to stderr. Its times are milliseconds
since the request began: "connect" is 0 where the SYN waited for the request.
Redirects are followed. No proxy is used.

What rides in a SYN can reach the server twice. So of plain http only GET, HEAD
and OPTIONS without a body ride there, unless --idempotent says that twice does
no harm. A TLS hello is harmless, but rides there whole only if it is short:
the hello of Go's default key exchange, which is safe from quantum computers,
has some 1500 bytes and a SYN has room for some 1400. So get offers the classical
X25519 and NIST curves unless --post-quantum is given.
` + ownTCPLong + `

Its cookies live as long as the command: name a URL twice, or use --repeat.

Exit codes: 0 everything was fetched (whatever its HTTP status, unless --fail),
1 something was not, 2 the command line is wrong.`

const getExample = `  tfo get http://localhost:8080/
  tfo get -o page.html https://example.com/
  tfo get --repeat 5 https://example.com/        with and without Fast Open, side by side
  tfo get --json http://localhost:8080/ | jq -r .outcome
  tfo get -d name=value --idempotent http://localhost:8080/outcome
  tfo get --stack tun0 --addr 10.0.0.2/24 --repeat 5 http://10.0.0.1:8080/`

// getFlags are the flags of tfo get.
type getFlags struct {
	output     string
	remoteName bool
	head       bool
	headers    []string
	data       []string
	method     string
	insecure   bool
	follow     bool
	redirects  int
	fail       bool
	silent     bool

	connectTimeout seconds
	maxTime        seconds
	ip4, ip6       bool
	http1          bool

	noTFO       bool
	postQuantum bool
	idempotent  bool
	repeat      int
	json        bool
	own         ownTCP
}

func newGet() *cobra.Command {
	f := &getFlags{connectTimeout: seconds(30 * time.Second)}
	cmd := &cobra.Command{
		Use:     "get URL...",
		Short:   "Fetch like curl and tell what Fast Open did",
		Long:    getLong,
		Example: getExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no URL to fetch: name one, such as http://localhost:8080/")
			}
			return nil
		},
	}
	cmd.RunE = verb(func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return f.run(ctx, cmd, args)
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.output, "output", "o", "", "write the body to `FILE`, which appears only when all of it is there")
	flags.BoolVarP(&f.remoteName, "remote-name", "O", false, "like -o, with the last part of the URL as the name")
	flags.BoolVarP(&f.head, "head", "I", false, "ask for the header only (HEAD) and print it")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "send `'Name: value'`; 'Name:' leaves a default header out")
	flags.StringArrayVarP(&f.data, "data", "d", nil, "POST `DATA`; @FILE reads it from a file, @- from stdin; several are joined by &")
	flags.StringVarP(&f.method, "request", "X", "", "use `METHOD`")
	flags.BoolVarP(&f.insecure, "insecure", "k", false, "accept any certificate")
	flags.BoolVarP(&f.follow, "location", "L", true, "follow redirects; --location=false shows them")
	flags.IntVar(&f.redirects, "max-redirs", 10, "follow at most `N` redirects")
	flags.BoolVarP(&f.fail, "fail", "f", false, "count an HTTP status of 400 or more as a failure")
	flags.BoolVarP(&f.silent, "silent", "s", false, "no report, only errors")
	flags.Var(&f.connectTimeout, "connect-timeout", "how long connecting may take")
	flags.Var(&f.maxTime, "max-time", "how long a URL may take, 0 for no limit")
	flags.BoolVarP(&f.ip4, "ipv4", "4", false, "use IPv4 only")
	flags.BoolVarP(&f.ip6, "ipv6", "6", false, "use IPv6 only")
	flags.BoolVar(&f.http1, "http1", false, "do not use HTTP/2")
	flags.BoolVar(&f.noTFO, "no-tfo", false, "connect without Fast Open")
	flags.BoolVar(&f.postQuantum, "post-quantum", false, "offer a post-quantum TLS key exchange, whose hello does not fit into a SYN")
	flags.BoolVar(&f.idempotent, "idempotent", false, "any request may ride in the SYN, since the server may carry it out twice")
	flags.IntVar(&f.repeat, "repeat", 0, "fetch `N` times with Fast Open and N times without, and compare")
	flags.BoolVar(&f.json, "json", false, "print a JSON object for each connection instead of the body and the report")
	f.own.flags(cmd, true)
	return cmd
}

// run fetches all URLs, whatever becomes of each.
func (f *getFlags) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	urls := make([]*url.URL, len(args))
	for i, arg := range args {
		u, err := parseURL(arg)
		if err == nil && f.remoteName {
			_, err = fileName(u)
		}
		if err != nil {
			return err
		}
		urls[i] = u
	}
	g, err := newGetter(f, cmd)
	if err != nil {
		return err
	}
	defer f.own.close(2 * time.Second)
	failed := false
	for _, u := range urls {
		err := g.get(ctx, u)
		if f.repeat > 0 && err == nil {
			err = g.compare(ctx, u)
		}
		if err != nil {
			failed = true
			if !errors.Is(err, errReported) {
				complain(g.stderr, cmd.CommandPath(), err)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// check finds flags that contradict each other or do not go with the URLs.
func (f *getFlags) check(args []string) error {
	saving := f.output != "" || f.remoteName
	switch {
	case f.output != "" && f.remoteName:
		return usagef("-o and -O both name the file: use one of them")
	case f.output != "" && len(args) > 1:
		return usagef("-o takes the body of one URL, and there are %d: use -O", len(args))
	case f.head && len(f.data) > 0:
		return usagef("-I asks for the header only and -d sends a body: use one of them")
	case f.ip4 && f.ip6:
		return usagef("-4 and -6 exclude each other: leave both out to use either")
	case f.redirects < 0:
		return usagef("--max-redirs %d is negative: use 0 to follow none", f.redirects)
	case f.repeat < 0 || f.repeat > 100_000:
		return usagef("--repeat %d is out of range: use 1 to 100000", f.repeat)
	case f.repeat > 0 && f.noTFO:
		return usagef("--repeat compares Fast Open with plain TCP, so it does not go with --no-tfo")
	case f.repeat > 0 && saving:
		return usagef("--repeat fetches the same body again and again and throws it away, so it does not go with -o or -O")
	case strings.ContainsAny(f.method, " \t\r\n"):
		return usagef("-X %q is no HTTP method: use a word such as PUT", f.method)
	}
	return f.own.check()
}
