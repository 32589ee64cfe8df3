package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const manLong = `man writes a manual page for tfo and for each of its commands into the directory
DIR, made from what --help says, for packagers and for man(1). A page that is
there already is replaced.`

const manExample = `  tfo man . && man ./tfo-get.1
  sudo tfo man /usr/local/share/man/man1`

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages",
		Long:    manLong,
		Example: manExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("man takes the directory to write the pages to, and there are %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: verb(func(cmd *cobra.Command, args []string) error { return writePages(cmd.Root(), args[0]) }),
	}
}

// writePages writes the page of cmd and those of the commands below it.
func writePages(cmd *cobra.Command, dir string) error {
	if !cmd.IsAvailableCommand() && cmd.HasParent() {
		return nil
	}
	name := filepath.Join(dir, pageName(cmd)+".1")
	if err := os.WriteFile(name, manPage(cmd, built()), 0o644); err != nil {
		return fmt.Errorf("cannot write %s: %w: name a directory that is there and may be written to", name, reason(err))
	}
	for _, sub := range cmd.Commands() {
		if err := writePages(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

// built is when this program was: the date of the pages.
func built() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return t
			}
		}
	}
	return time.Now()
}

// pageName is tfo-get for the command tfo get.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the page of a command, in the macros of man(7).
func manPage(cmd *cobra.Command, date time.Time) []byte {
	cmd.InitDefaultHelpFlag()
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 %s %s %s\n", quoteRoff(strings.ToUpper(pageName(cmd))), `"`+date.Format("2006-01-02")+`"`,
		quoteRoff("tfo "+moduleVersion()), quoteRoff("TCP Fast Open"))
	section(&b, "NAME")
	fmt.Fprintf(&b, "%s \\- %s\n", escapeRoff(pageName(cmd)), escapeRoff(cmd.Short))
	section(&b, "SYNOPSIS")
	path, rest, _ := strings.Cut(cmd.UseLine(), cmd.CommandPath())
	fmt.Fprintf(&b, ".B %s\n", escapeRoff(path+cmd.CommandPath()))
	if rest = strings.TrimSpace(rest); rest != "" {
		fmt.Fprintln(&b, escapeRoff(rest))
	}
	section(&b, "DESCRIPTION")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	prose(&b, long)
	if cmd.HasAvailableSubCommands() {
		section(&b, "COMMANDS")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", escapeRoff(pageName(sub)), escapeRoff(sub.Short))
			}
		}
	}
	if cmd.HasAvailableLocalFlags() {
		section(&b, "OPTIONS")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { option(&b, f) })
	}
	if cmd.Example != "" {
		section(&b, "EXAMPLES")
		verbatim(&b, strings.Split(cmd.Example, "\n"))
	}
	if cmd.HasParent() {
		section(&b, "SEE ALSO")
		fmt.Fprintf(&b, ".BR %s (1)\n", escapeRoff(pageName(cmd.Parent())))
	}
	return b.Bytes()
}

func section(b *bytes.Buffer, title string) { fmt.Fprintf(b, ".SH %s\n", title) }

// prose writes paragraphs as paragraphs, and lines that are indented as they
// are.
func prose(b *bytes.Buffer, text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		lines := strings.Split(paragraph, "\n")
		for len(lines) > 0 {
			n := 0
			for n < len(lines) && strings.IndexAny(lines[n], " \t") == 0 {
				n++
			}
			if n > 0 {
				verbatim(b, lines[:n])
				lines = lines[n:]
				continue
			}
			b.WriteString(escapeRoff(lines[0]) + "\n")
			lines = lines[1:]
		}
	}
}

// verbatim writes lines as they are, for commands and tables.
func verbatim(b *bytes.Buffer, lines []string) {
	b.WriteString(".RS 2\n.nf\n")
	for _, l := range lines {
		b.WriteString(escapeRoff(strings.TrimPrefix(strings.TrimPrefix(l, "  "), "\t")) + "\n")
	}
	b.WriteString(".fi\n.RE\n")
}

// option writes a flag with what it does.
func option(b *bytes.Buffer, f *pflag.Flag) {
	if f.Hidden || f.Deprecated != "" {
		return
	}
	b.WriteString(".TP\n")
	if f.Shorthand != "" {
		fmt.Fprintf(b, "\\fB%s\\fR, ", escapeRoff("-"+f.Shorthand))
	}
	value, usage := pflag.UnquoteUsage(f)
	fmt.Fprintf(b, "\\fB%s\\fR", escapeRoff("--"+f.Name))
	if value != "" {
		fmt.Fprintf(b, " \\fI%s\\fR", escapeRoff(value))
	}
	b.WriteString("\n" + escapeRoff(usage))
	switch f.DefValue {
	case "", "false", "0", "[]", "0s":
	default:
		b.WriteString(escapeRoff(" (" + f.DefValue + " if not given)"))
	}
	b.WriteString("\n")
}

// escapeRoff makes text what it says, for roff: nothing in it is a macro, and
// hyphens are those of commands, which can be copied.
func escapeRoff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// quoteRoff makes text one argument of a macro.
func quoteRoff(text string) string {
	return `"` + strings.ReplaceAll(escapeRoff(text), `"`, `\(dq`) + `"`
}
