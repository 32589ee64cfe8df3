package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// watchScreen fills the terminal until it is told to stop, and leaves it as it
// was.
func watchScreen(ctx context.Context, s *sampler, interval time.Duration, cmd *cobra.Command) error {
	out := cmd.OutOrStdout().(*os.File)
	v := &view{interval: interval, unicode: unicodeTerminal()}
	t, err := fillTerminal(os.Stdin, out)
	if err != nil {
		return err
	}
	if err := v.loop(ctx, s, t, paint(out)); err != nil {
		return err
	}
	_, err = io.WriteString(out, v.summary())
	return err
}

// loop draws whenever there is something new: a sample, a key, another size.
// It leaves the terminal as it was, after a panic, too.
func (v *view) loop(ctx context.Context, s *sampler, t *terminal, p palette) error {
	defer t.restore()
	tick := time.NewTicker(v.interval)
	defer tick.Stop()
	resized, stop := onResize()
	defer stop()
	keys := t.keys()
	for again := true; ; {
		if again {
			now, err := s.take(time.Now())
			if err != nil {
				return err
			}
			v.add(now)
		}
		width, height := t.size()
		if err := t.draw(v.render(width, height, p)); err != nil {
			return fmt.Errorf("cannot write to the terminal: %w", reason(err))
		}
		again = false
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case <-tick.C:
			again = true
		case k, ok := <-keys:
			switch {
			case !ok:
				keys = nil // nobody types; signals still end it
			case k == keyQuit:
				return nil
			default:
				v.move(int(k))
			}
		}
	}
}

// A terminal is one that a program has for itself.
type terminal struct {
	in, out *os.File
	cooked  *term.State // nil if nobody types
}

const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the other screen buffer, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
)

// fillTerminal takes the terminal over. Keys come as they are typed if in is a
// terminal, too.
func fillTerminal(in, out *os.File) (*terminal, error) {
	t := &terminal{in: in, out: out}
	if isTerminal(in) {
		var err error
		if t.cooked, err = term.MakeRaw(int(in.Fd())); err != nil {
			return nil, fmt.Errorf("cannot take over the terminal (%w): use --plain", err)
		}
	}
	if _, err := io.WriteString(out, enterScreen); err != nil {
		t.restore()
		return nil, fmt.Errorf("cannot write to the terminal: %w", reason(err))
	}
	return t, nil
}

// restore leaves the terminal as it was.
func (t *terminal) restore() {
	io.WriteString(t.out, leaveScreen)
	if t.cooked != nil {
		term.Restore(int(t.in.Fd()), t.cooked)
	}
}

func (t *terminal) size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// draw writes the lines over what was there, in one write, so that it does not
// flicker.
func (t *terminal) draw(lines []string) error {
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n") // in raw mode a line feed is nothing else
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err := t.out.Write(b.Bytes())
	return err
}

// A keyPress is how far down the list a key goes, or keyQuit.
type keyPress int

const keyQuit keyPress = 1 << 20

// keys returns what is typed. The channel is closed when nothing more can be.
// Its goroutine ends with the program: nothing else can wake a read(2).
func (t *terminal) keys() <-chan keyPress {
	ch := make(chan keyPress)
	if t.cooked == nil {
		return nil
	}
	go func() {
		defer close(ch)
		b := make([]byte, 64)
		for {
			n, err := t.in.Read(b)
			if err != nil {
				return
			}
			for _, k := range parseKeys(b[:n]) {
				ch <- k
			}
		}
	}()
	return ch
}

// parseKeys makes out the keys that mean something.
func parseKeys(b []byte) (list []keyPress) {
	for len(b) > 0 {
		switch {
		case bytes.HasPrefix(b, []byte("\x1b[A")), bytes.HasPrefix(b, []byte("\x1bOA")):
			list, b = append(list, -1), b[2:]
		case bytes.HasPrefix(b, []byte("\x1b[B")), bytes.HasPrefix(b, []byte("\x1bOB")):
			list, b = append(list, 1), b[2:]
		case b[0] == 'k':
			list = append(list, -1)
		case b[0] == 'j':
			list = append(list, 1)
		case b[0] == 'q', b[0] == 'Q', b[0] == 3, b[0] == 4: // Ctrl+C and Ctrl+D, which are keys in raw mode
			list = append(list, keyQuit)
		}
		b = b[1:]
	}
	return list
}

// unicodeTerminal reports whether the environment says that the terminal shows
// more than ASCII: locale(7).
func unicodeTerminal() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}
