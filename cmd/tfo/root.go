package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes, as --help tells them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitUnsure = 2 // of verbs that answer a question
)

const rootLong = `tfo makes TCP Fast Open (RFC 7413) something you can see. With Fast Open the
first bytes of a connection ride in its very first packet, the SYN, so a
request on a new connection takes one round trip less. The first contact with
a server asks for a cookie; every later one can be fast.

On this host: tfo check says whether Fast Open is on and what to do where it is
not, tfo enable and tfo disable change that, tfo attach turns it on in a server
that runs already, such as nginx, tfo keys sees to the keys, tfo watch shows
what happens, and tfo explain is a short manual. tfo demo draws what Fast Open
does between two simulated hosts, and needs nothing at all.

Across the network: tfo serve offers files, or a page that tells each visitor
how their connection was opened; tfo get fetches like curl and says what Fast
Open did and saved; tfo probe finds out what other hosts, and the paths to
them, do with it.

Exit codes: 0 it worked, 1 it failed, 2 the command line is wrong; check and
probe answer a question and have codes of their own.`

const rootExample = `  tfo demo                                   what it is, drawn
  tfo check                                  is it on here, and what is to be done?
  tfo serve                                  a page on http://localhost:8080/
  tfo get http://localhost:8080/             fetch it: twice, to see the cookie at work
  tfo get --repeat 5 http://localhost:8080/  with and without Fast Open, side by side
  tfo probe example.com                      does it work there, and if not, why?`

// newRoot returns the command tfo with all its verbs.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "tfo",
		Short:         "Serve, fetch and measure over TCP Fast Open",
		Long:          rootLong,
		Example:       rootExample,
		Version:       version(),
		Args:          knownVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{plainer(err)} })
	root.AddCommand(newServe(), newGet(), newCheck(), newEnable(), newDisable(), newAttach(), newDetach(),
		newWatch(), newKeys(), newProbe(), newDemo(), newExplain(), newMan(), newVersion())
	addCompletion(root)
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = knownTopic
	}
	return root
}

// knownTopic lets nothing but a command follow tfo help, which else would show
// the help of what it knows of it, or of tfo.
func knownTopic(cmd *cobra.Command, args []string) error {
	known, rest, err := cmd.Root().Find(args)
	switch {
	case err != nil:
		return usageError{err}
	case len(rest) == 0:
		return nil
	case known == cmd.Root():
		return knownVerb(known, rest)
	}
	return usagef("there is no command %q", strings.Join(args, " "))
}

// knownVerb lets nothing but the verbs follow the word tfo.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return usagef("there is no command %q: did you mean %s?", args[0], strings.Join(like, " or "))
	}
	return usagef("there is no command %q", args[0])
}

// plainer takes what only a programmer understands out of an error about
// flags.
func plainer(err error) error {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return errors.New(strings.Replace(err.Error(), " flag: probe: ", " flag: ", 1)) // the package's name
	}
	what, _, _ := strings.Cut(err.Error(), ": strconv.")
	if number.Func == "ParseBool" {
		return fmt.Errorf("%s: write true or false", what)
	}
	return fmt.Errorf("%s: write a number", what)
}

// run runs the command line and returns the exit code.
func run(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	out := &checkedOut{file: os.Stdout}
	if !isTerminal(os.Stdout) {
		root.SetOut(out)
	}
	cmd, err := root.ExecuteC()
	var (
		failure failure
		code    exitCode
		path    *fs.PathError
	)
	lost := out.failed()
	if errors.As(err, &path) && path.Path == os.Stdout.Name() {
		lost = path // cobra had stdout before, for its own commands
	}
	if lost != nil && (err == nil || errors.As(err, &code) || errors.Is(err, lost)) {
		complain(os.Stderr, cmd.CommandPath(), fmt.Errorf("cannot write to stdout: %w", reason(lost)))
		if cmd.Name() == "check" || cmd.Name() == "probe" {
			return exitUnsure
		}
		return exitFailed
	}
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &failure):
		complain(os.Stderr, cmd.CommandPath(), failure.error)
		return exitFailed
	}
	complain(os.Stderr, cmd.CommandPath(), err)
	fmt.Fprintf(os.Stderr, "See: %s --help\n", cmd.CommandPath())
	return exitUsage
}
