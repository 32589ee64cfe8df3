package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fastopen-go/fastopen/kernel"
)

// Every file of the manual is a topic, fits its lines, and sends nobody to a
// topic or a verb that does not exist.
func TestManual(t *testing.T) {
	files, err := manual.ReadDir("explain")
	if err != nil || len(files) != len(topics) {
		t.Fatalf("%d files and %d topics, %v", len(files), len(topics), err)
	}
	reference := regexp.MustCompile(`tfo\s+explain\s+(\w+)`)
	for _, f := range files {
		topic := strings.TrimSuffix(f.Name(), ".txt")
		if !slices.Contains(topics, topic) {
			t.Errorf("%s is no topic", topic)
		}
		for _, width := range []int{30, 47, 80, 100} {
			var b bytes.Buffer
			if err := explainWord(&b, topic, width); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				title := b.String()[:len(line)] == line
				// A long word has a line of its own.
				words := strings.Fields(strings.TrimLeft(line, "- "))
				if utf8.RuneCountInString(line) > width && !strings.HasPrefix(line, "    ") && !title && len(words) > 1 {
					t.Errorf("%s at %d: %q is too long", topic, width, line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Errorf("%s at %d: %q ends with a space", topic, width, line)
				}
			}
		}
		text, err := manual.ReadFile("explain/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
			if err := explainWord(new(bytes.Buffer), m[1], 80); err != nil && m[1] != "TOPIC" {
				t.Errorf("%s sends to tfo explain %s: %v", topic, m[1], err)
			}
		}
		for line := range strings.Lines(string(text)) {
			if utf8.RuneCountInString(line) > 81 && strings.HasPrefix(line, "    ") {
				t.Errorf("%s: %q is too long, and is not broken into lines", topic, line)
			}
		}
	}
	for word, topic := range alsoKnownAs {
		if !slices.Contains(topics, topic) || slices.Contains(topics, word) {
			t.Errorf("%s is also known as %s", topic, word)
		}
	}
}

func TestExplainValue(t *testing.T) {
	for b, want := range map[kernel.Bits]string{
		0:     "net.ipv4.tcp_fastopen = 0\nOff.\nMore: tfo explain sysctl\n",
		3:     "= 3\nOn for clients and for servers.\n  0x1    client: programs",
		0x400: "  0x400  every socket that begins to listen has Fast Open, wanted or not\n         (without effect: it needs 0x2)\n",
		0x80:  "  0x80   without any meaning\n",
	} {
		var out bytes.Buffer
		explainValue(&out, b, 80)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%#x: got\n%swant\n%s", uint32(b), &out, want)
		}
	}
}

func FuzzExplainWord(f *testing.F) {
	for _, s := range []string{"", "sysctl", "NGINX", "3", "0x403", "-1", "99999999999", "../root.go", "overview.txt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		var out bytes.Buffer
		if err := explainWord(&out, word, 40); (err == nil) != (out.Len() > 0) {
			t.Errorf("%q: got error %v and %q", word, err, &out)
		}
	})
}
