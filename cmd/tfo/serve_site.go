package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// A site is one run of tfo serve.
type site struct {
	flags  *serveFlags
	dir    string // "" for the page about the visitor's connection
	keys   tfo.Keys
	log    *logbook
	keeper *keeper
	server *http.Server
	gates  []*gate
}

// newSite checks everything that was asked for and listens; run serves.
func newSite(f *serveFlags, dir string, cmd *cobra.Command) (*site, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	s := &site{flags: f, dir: dir, log: &logbook{stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), json: f.json}}
	handler := page
	if dir != "" {
		files, err := openFiles(dir)
		if err != nil {
			return nil, err
		}
		handler = files.serve
	}
	conf, err := f.tlsConfig(time.Now())
	if err != nil {
		return nil, err
	}
	lc := &fastopen.ListenConfig{Queue: f.queue}
	if f.queue == 0 {
		lc.Queue = -1
	}
	lc.SetMultipathTCP(f.mptcp)
	if f.keys != "" {
		if s.keys, err = readKeys(f.keys); err != nil {
			return nil, err
		}
		lc.Keys = tfo.NewKeyring(s.keys)
	}
	if err := f.own.open(s.log.note); err != nil {
		return nil, err
	}
	if f.own.stack != nil {
		lc.Network = f.own.stack
	}
	if s.gates, err = openGates(lc, f); err != nil {
		f.own.close(0)
		return nil, err
	}
	s.keeper = &keeper{site: handler, log: s.log}
	s.server = &http.Server{
		Handler:           s.keeper,
		TLSConfig:         conf,
		ConnContext:       connContext,
		ErrorLog:          log.New(trouble{s.log}, "", 0),
		ReadHeaderTimeout: 20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return s, nil
}

// run serves until stop brings a signal or something breaks.
func (s *site) run(stop <-chan os.Signal) error {
	s.announce()
	ended := make(chan error, len(s.gates))
	for _, g := range s.gates {
		go func() {
			if g.secure {
				ended <- s.server.ServeTLS(g, "", "")
			} else {
				ended <- s.server.Serve(g)
			}
		}()
	}
	defer s.flags.own.close(2 * time.Second)
	var err error
	select {
	case err = <-ended:
		s.server.Close()
		err = fmt.Errorf("stopped serving: %w", err)
	case sig := <-stop:
		err = s.end(sig, stop)
	}
	s.sum()
	return err
}

// end lets the requests under way end, for as long as --grace says or until
// another signal comes.
func (s *site) end(sig os.Signal, again <-chan os.Signal) error {
	grace := time.Duration(s.flags.grace)
	if n := s.keeper.open.Load(); n > 0 {
		s.log.note("Stopping (%v): %s may take %v to end; once more to stop at once.", sig, plural(int(n), "request"), grace)
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.server.Shutdown(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-again:
		err = context.Canceled
	}
	if err == nil {
		return nil
	}
	cut := s.keeper.open.Load()
	s.server.Close()
	s.keeper.cut.Store(cut)
	if cut == 0 {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("cut off %s that took longer than --grace %v", plural(int(cut), "request"), grace)
	}
	return fmt.Errorf("cut off %s at the second signal", plural(int(cut), "request"))
}

// sum tells at the end how connections were opened.
func (s *site) sum() {
	var all fastopen.Stats
	for _, g := range s.gates {
		st := g.Stats()
		all.Accepted += st.Accepted
		all.Data += st.Data
		all.Cookie += st.Cookie
		all.Requested += st.Requested
		all.Refused += st.Refused
		all.Plain += st.Plain
	}
	requests := s.keeper.count.Load()
	if s.flags.json {
		s.log.object(stopRecord{"stop", requests, s.keeper.cut.Load(), connectionStats(all)})
		return
	}
	s.log.note("%s", summary(all, requests))
}

// announce says what is served where, and whether Fast Open will work.
func (s *site) announce() {
	var urls []string
	for _, g := range s.gates {
		urls = append(urls, g.urls()...)
	}
	contents := "a page that tells visitors how their connection was opened"
	if s.dir != "" {
		contents = "the files of " + s.dir
	}
	state := s.readiness()
	print := ""
	if s.flags.selfSigned {
		print = thumbprint(s.server.TLSConfig.Certificates[0])
	}
	if s.flags.json {
		rec := startRecord{Event: "start", URLs: urls, Ready: state.problem == "", Sysctl: state.bits, Queue: state.queue,
			Problem: state.problem, Remedy: state.remedy, SHA256: print, Pid: os.Getpid(), Contents: contents}
		if !s.keys.IsZero() {
			rec.Keys = s.keys.Fingerprint()
		}
		s.log.object(rec)
		return
	}
	p := paint(s.log.stderr)
	s.log.note("Serving %s at", printable(contents))
	const most = 12
	for i, u := range urls {
		if i == most && len(urls) > most+1 {
			s.log.note("  and %d more", len(urls)-most)
			break
		}
		s.log.note("  %s", p.bold(u))
	}
	if print != "" {
		s.log.note("with a certificate made just now, which visitors have to accept (tfo get -k); its SHA-256 is\n  %s", print)
	}
	state.tell(s, p)
	s.log.note("Stop with Ctrl+C.")
}

// A readiness says whether the listeners will accept data in SYNs, and if not
// why and what to do.
type readiness struct {
	bits            kernel.Bits
	bitsKnown       bool
	queue           int // the least of all listeners; what was asked for where the kernel does not tell
	problem, remedy string
}

func (s *site) readiness() readiness {
	r := readiness{queue: s.flags.queue}
	bits, err := kernel.FastOpen()
	if s.flags.own.stack != nil {
		bits, err = 0, errors.ErrUnsupported // the kernel has no say
	}
	r.bits, r.bitsKnown = bits, err == nil
	for _, g := range s.gates {
		if n, err := kernel.Queue(g); err == nil {
			r.queue = min(r.queue, n)
		}
		switch err := g.FastOpen(); {
		case err == nil || r.problem != "":
		case s.flags.queue == 0:
			r.problem = "--queue 0 switches it off"
		case errors.Is(err, errors.ErrUnsupported):
			r.problem = "this system has none for listeners"
		default:
			r.problem = "the kernel refused to set it up (" + err.Error() + ")"
		}
	}
	if r.problem == "" && r.bitsKnown && !bits.Server() {
		r.problem = fmt.Sprintf("this host's kernel has it off for servers (%s is %v)", kernel.Name, bits)
		r.remedy = asRoot(bits.TurnOn(kernel.ServerBit))
	}
	return r
}

// tell says it to a person.
func (r readiness) tell(s *site, p palette) {
	if r.problem != "" {
		s.log.note("%s: %s. Connections are plain.", p.yellow("Fast Open is off"), r.problem)
		if r.remedy != "" {
			s.log.note("  Turn it on with: %s\n  It takes effect at once, without starting this server anew.", p.bold(r.remedy))
		}
		return
	}
	detail := fmt.Sprintf("at most %s may be unconfirmed at a time", plural(r.queue, "connection"))
	if r.queue < s.flags.queue && s.flags.own.stack == nil {
		detail += fmt.Sprintf(" (not %d: net.core.somaxconn allows no more)", s.flags.queue)
	}
	keys := "cookies are made with the kernel's own keys, which no other host has"
	if s.flags.own.stack != nil {
		keys = "cookies are made with keys of this run"
	}
	if !s.keys.IsZero() {
		keys = "cookies are made with the keys " + s.keys.Fingerprint()
	}
	s.log.note("%s: %s; %s.", p.green("Fast Open is on"), detail, keys)
	if r.bits.ServerNoCookie() {
		s.log.note("  Anybody's data in a SYN is accepted without a cookie (%s is %v), so forged SYNs can make this server send answers to a victim.", kernel.Name, r.bits)
	}
}
