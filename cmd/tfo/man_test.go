package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Every command has a page, with every flag and example in it, that no line of
// the help turns into a macro by chance.
func TestManPages(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		page := string(manPage(cmd, time.Unix(1e9, 0).UTC()))
		if !strings.HasPrefix(page, `.TH "TFO`) || !strings.Contains(page, "2001-09-09") {
			t.Errorf("%s: the page begins %.60q", cmd.CommandPath(), page)
		}
		for line := range strings.Lines(page) {
			known := regexp.MustCompile(`^\.(TH|SH|PP|TP|RS|RE|nf|fi|B|BR)\b`)
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !known.MatchString(line) {
				t.Errorf("%s: %q is a macro", cmd.CommandPath(), line)
			}
		}
		for _, text := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", escapeRoff(cmd.Short)} {
			if !strings.Contains(page, text) {
				t.Errorf("%s: the page has no %q", cmd.CommandPath(), text)
			}
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.Contains(page, escapeRoff(strings.TrimSpace(line))) {
				t.Errorf("%s: the page lacks the example %q", cmd.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(newRoot())
}

func TestEscapeRoff(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"--flag":       `\-\-flag`,
		".hidden":      `\&.hidden`,
		"'quoted'":     `\(aqquoted\(aq`,
		`back\slash`:   `back\eslash`,
		"a\t`b` ~ ^ …": "a\t\\(gab\\(ga \\(ti \\(ha ...",
	} {
		if got := escapeRoff(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// The pages pass the strictest reader there is, where it is installed.
func TestManLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed")
	}
	dir := t.TempDir()
	if err := writePages(newRoot(), dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 5 {
		t.Fatalf("got the pages %v, %v", pages, err)
	}
	out, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}

// After --netns come the names of namespaces.
func TestCompleteNamespaces(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"blue", "green"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(namesIn(dir), " "); got != "blue green" {
		t.Errorf("got %q", got)
	}
	if got := namesIn(filepath.Join(dir, "none")); got != nil {
		t.Errorf("got %q out of nothing", got)
	}
	cmd := &cobra.Command{Use: "x"}
	cmd.Flags().String("netns", "", "")
	addCompletion(func() *cobra.Command { root := &cobra.Command{Use: "root"}; root.AddCommand(cmd); return root }())
	if _, ok := cmd.GetFlagCompletionFunc("netns"); !ok {
		t.Error("--netns is not completed")
	}
}
