package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fastopen-go/fastopen/kernel"
)

// The manual, a file for each topic. Its first line is the title. Then come
// paragraphs, divided by empty lines; lines of theirs that begin with "* " are
// points, with " :: " in them terms and their meaning, and with four spaces
// text that is not broken into lines.
//
//go:embed explain/*.txt
var manual embed.FS

// topics are in the order in which to read them.
var topics = []string{"overview", "sysctl", "boot", "cookies", "keys", "servers", "replay", "failures", "containers"}

// alsoKnownAs are other words for topics.
var alsoKnownAs = map[string]string{
	"tfo": "overview", "fastopen": "overview", "fast-open": "overview", "rfc7413": "overview",
	"bits": "sysctl", "tcp_fastopen": "sysctl", "net.ipv4.tcp_fastopen": "sysctl", "/proc/sys/net/ipv4/tcp_fastopen": "sysctl",
	"sysctl.d": "boot", "persist": "boot", "cookie": "cookies", "key": "keys", "tcp_fastopen_key": "keys", "net.ipv4.tcp_fastopen_key": "keys",
	"server": "servers", "nginx": "servers", "haproxy": "servers", "attach": "servers", "queue": "servers",
	"safety": "replay", "unsafe": "replay", "security": "replay", "idempotent": "replay",
	"failure": "failures", "middlebox": "failures", "middleboxes": "failures", "blackhole": "failures", "tcp_fastopen_blackhole_timeout_sec": "failures",
	"container": "containers", "docker": "containers", "kubernetes": "containers", "netns": "containers", "namespaces": "containers",
}

const explainLong = `explain is a short manual of TCP Fast Open for the terminal. Without TOPIC it says
what Fast Open is and lists the topics. A number is explained as a value of
net.ipv4.tcp_fastopen.

Exit codes: 0 explained, 2 there is no such topic.`

const explainExample = `  tfo explain
  tfo explain replay
  tfo explain 0x403`

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:       "explain [TOPIC]",
		Short:     "The short manual: what Fast Open is, when it is unsafe, why it fails",
		Long:      explainLong,
		Example:   explainExample,
		ValidArgs: topics,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("explain takes one topic, and there are %d", len(args))
			}
			return nil
		},
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			width := columns(out)
			if len(args) == 0 {
				explain(out, "overview", width)
				fmt.Fprintln(out)
				listTopics(out)
				return nil
			}
			return explainWord(out, args[0], width)
		}),
	}
}

// explainWord explains a topic, or a value of the setting.
func explainWord(out io.Writer, word string, width int) error {
	name := strings.ToLower(word)
	if other, ok := alsoKnownAs[name]; ok {
		name = other
	}
	for _, topic := range topics {
		if topic == name {
			explain(out, topic, width)
			return nil
		}
	}
	if n, err := strconv.ParseInt(name, 0, 64); err == nil {
		if n != int64(int32(n)) {
			return usagef("%s is no value of %s, which is a number of 32 bits", word, kernel.Name)
		}
		explainValue(out, kernel.Bits(n), width)
		return nil
	}
	last := len(topics) - 1
	return usagef("there is no topic %q: the topics are %s and %s", word, strings.Join(topics[:last], ", "), topics[last])
}

// explainValue explains a value bit by bit.
func explainValue(out io.Writer, b kernel.Bits, width int) {
	p := paint(out)
	value, meaning, _ := strings.Cut(b.String(), ": ")
	fmt.Fprintln(out, p.bold(kernel.Name+" = "+value))
	hang(out, "", sentenceCase(meaning), width)
	known := kernel.Bits(0)
	for _, bit := range []struct {
		bit, needs kernel.Bits
		text       string
	}{
		{kernel.ClientBit, 0, "client: programs may ask for cookies and send data with the SYN"},
		{kernel.ServerBit, 0, "server: listeners that ask for it grant cookies and accept data with the SYN"},
		{kernel.ClientNoCookieBit, kernel.ClientBit, "client without cookies: data goes out with every SYN"},
		{kernel.ServerNoCookieBit, kernel.ServerBit, "server without cookies: anybody's data is accepted"},
		{kernel.AllListenersBit, kernel.ServerBit, "every socket that begins to listen has Fast Open, wanted or not"},
	} {
		known |= bit.bit
		if b&bit.bit == 0 {
			continue
		}
		text := bit.text
		if b&bit.needs != bit.needs {
			text += fmt.Sprintf(" (without effect: it needs %#x)", uint32(bit.needs))
		}
		define(out, fmt.Sprintf("%#x", uint32(bit.bit)), text, width)
	}
	if rest := b &^ known; rest != 0 {
		define(out, fmt.Sprintf("%#x", uint32(rest)), "without any meaning", width)
	}
	fmt.Fprintln(out, p.faint("More: tfo explain sysctl"))
}

// explain prints a topic.
func explain(out io.Writer, topic string, width int) {
	text, err := manual.ReadFile("explain/" + topic + ".txt")
	if err != nil {
		panic(err) // the program was built with another list of topics than files
	}
	title, rest, _ := strings.Cut(string(text), "\n")
	fmt.Fprintln(out, paint(out).bold(title))
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(line, "\n")
		term, meaning, defined := strings.Cut(line, " :: ")
		switch {
		case line == "", strings.HasPrefix(line, "    "):
			fmt.Fprintln(out, line)
		case defined:
			define(out, term, meaning, width)
		case strings.HasPrefix(line, "* "):
			hang(out, "- ", line[2:], width)
		default:
			hang(out, "", line, width)
		}
	}
}

func listTopics(out io.Writer) {
	fmt.Fprintln(out, paint(out).bold("Topics"))
	for _, topic := range topics {
		text, err := manual.ReadFile("explain/" + topic + ".txt")
		if err != nil {
			panic(err)
		}
		title, _, _ := strings.Cut(string(text), "\n")
		fmt.Fprintf(out, "    tfo explain %-12s %s\n", topic, title)
	}
}

// define prints a term and what it means.
func define(out io.Writer, term, meaning string, width int) {
	hang(out, fmt.Sprintf("  %-6s ", term), meaning, width)
}

// hang prints text in lines, the first of which begins with head, the others
// with as much space.
func hang(out io.Writer, head, text string, width int) {
	for _, line := range fold(text, width-len(head)) {
		fmt.Fprintln(out, head+line)
		head = strings.Repeat(" ", len(head))
	}
}

// columns is how wide text for people may be: as the terminal, but not so wide
// that lines are hard to read.
func columns(out io.Writer) int {
	const usual, most, least = 80, 100, 30
	f, ok := out.(*os.File)
	if !ok {
		return usual
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return usual
	}
	return min(max(width, least), most)
}
