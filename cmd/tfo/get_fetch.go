package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen"
)

// A getter is one run of tfo get.
type getter struct {
	flags   *getFlags
	recipe  *recipe
	fast    *fastopen.Dialer
	plain   *fastopen.Dialer
	network string
	stdout  io.Writer
	stderr  io.Writer
}

func newGetter(f *getFlags, cmd *cobra.Command) (*getter, error) {
	t, err := newRecipe(f, os.Stdin)
	if err != nil {
		return nil, err
	}
	g := &getter{
		flags:   f,
		recipe:  t,
		network: "tcp",
		fast:    &fastopen.Dialer{Timeout: time.Duration(f.connectTimeout)},
		plain:   &fastopen.Dialer{Timeout: time.Duration(f.connectTimeout), Off: true},
		stdout:  cmd.OutOrStdout(),
		stderr:  cmd.ErrOrStderr(),
	}
	switch {
	case f.ip4:
		g.network = "tcp4"
	case f.ip6:
		g.network = "tcp6"
	}
	if err := f.own.open(func(format string, args ...any) { fmt.Fprintf(g.stderr, format+"\n", args...) }); err != nil {
		return nil, err
	}
	if s := f.own.stack; s != nil {
		for _, d := range []*fastopen.Dialer{g.fast, g.plain} {
			d.Network = s
			if len(f.own.servers) > 0 {
				d.Resolver = s.Resolver()
			}
		}
	}
	if f.idempotent {
		g.fast.Policy = fastopen.Idempotent
	}
	return g, nil
}

// fetch requests u, follows redirects and has take read what is at their
// end. It returns all the exchanges that took place, also if it fails. The
// error names u, and tells what to do.
func (g *getter) fetch(ctx context.Context, u *url.URL, plain bool, take func(*http.Response) error) ([]*exchange, error) {
	limit := time.Duration(g.flags.maxTime)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	h := &hopper{dialer: g.fast, network: g.network, flags: g.flags}
	if plain {
		h.dialer = g.plain
	}
	req, err := g.recipe.request(ctx, u)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: h, CheckRedirect: g.redirect}
	resp, err := client.Do(req)
	if err == nil {
		err = take(resp)
		resp.Body.Close()
	}
	if err == nil {
		return h.hops, nil
	}
	at := u
	if n := len(h.hops); n > 0 {
		at = h.hops[n-1].url
	}
	switch ctx.Err() {
	case context.Canceled:
		err = errors.New("interrupted")
	case context.DeadlineExceeded:
		err = fmt.Errorf("not done after %v, the limit set by --max-time", limit)
	default:
		err = g.explain(err, at)
	}
	err = fmt.Errorf("%s: %w", at.Redacted(), err)
	if n := len(h.hops); n > 0 && h.hops[n-1].err != nil {
		h.hops[n-1].err = err
	}
	return h.hops, err
}

// redirect decides whether the client follows one.
func (g *getter) redirect(_ *http.Request, via []*http.Request) error {
	switch {
	case !g.flags.follow:
		return http.ErrUseLastResponse
	case len(via) > g.flags.redirects:
		return fmt.Errorf("redirected more than %d times: allow more with --max-redirs, or see where it goes with --location=false", g.flags.redirects)
	}
	return nil
}

// get fetches u once and reports on it.
func (g *getter) get(ctx context.Context, u *url.URL) error {
	if g.flags.repeat > 0 {
		return nil
	}
	out, err := g.output(u)
	if err != nil {
		return err
	}
	spy := &lastByte{output: out}
	hops, err := g.fetch(ctx, u, g.flags.noTFO, func(resp *http.Response) error {
		if g.flags.fail && resp.StatusCode >= 400 {
			return fmt.Errorf("the server answered %s, which --fail counts as a failure", status(resp))
		}
		return g.take(resp, spy)
	})
	if err == nil {
		err = out.commit()
	} else {
		out.abort()
	}
	if spy.wrote && isTerminal(g.stdout) && !g.flags.json && !g.flags.silent {
		if !spy.newline {
			fmt.Fprintln(g.stdout)
		}
		fmt.Fprintln(g.stdout)
	}
	g.report(hops)
	return err
}

// output is where the body of u goes.
func (g *getter) output(u *url.URL) (output, error) {
	switch {
	case g.flags.output != "":
		return openOutput(g.flags.output, g.stdout)
	case g.flags.remoteName:
		name, err := fileName(u)
		if err != nil {
			return nil, err
		}
		return openOutput(name, g.stdout)
	case g.flags.json:
		return &toStdout{w: io.Discard}, nil
	}
	return openOutput("-", g.stdout)
}

// take copies the answer to w: the body, or with -I the header.
func (g *getter) take(resp *http.Response, w io.Writer) error {
	if g.flags.head {
		if _, err := io.WriteString(w, headerText(resp)); err != nil {
			return err
		}
	}
	_, err := io.Copy(w, resp.Body)
	return err
}

// discard reads all of an answer and keeps nothing.
func discard(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	return err
}

// headerText is the header of an answer as HTTP/1 writes it, but sorted.
func headerText(resp *http.Response) string {
	var lines []string
	for name, values := range resp.Header {
		for _, v := range values {
			lines = append(lines, printable(name)+": "+printable(v)+"\r\n")
		}
	}
	slices.Sort(lines)
	return resp.Proto + " " + status(resp) + "\r\n" + strings.Join(lines, "") + "\r\n"
}

// status is the status code with the words that belong to it, whatever words
// the server chose.
func status(resp *http.Response) string {
	s := fmt.Sprint(resp.StatusCode)
	if words := http.StatusText(resp.StatusCode); words != "" {
		s += " " + words
	}
	return s
}

// lastByte knows whether something was written, and ended a line.
type lastByte struct {
	output
	wrote, newline bool
}

func (l *lastByte) Write(b []byte) (int, error) {
	n, err := l.output.Write(b)
	if n > 0 {
		l.wrote, l.newline = true, b[n-1] == '\n'
	}
	return n, err
}
