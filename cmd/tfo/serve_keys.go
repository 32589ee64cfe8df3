package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/fastopen-go/fastopen/tfo"
)

// readKeys reads a file with cookie keys, or stdin if its name is "-". It
// refuses one that other users can read, since whoever has the keys can make
// cookies for any client.
func readKeys(name string) (tfo.Keys, error) {
	text, err := readSecret(name, "keys", 4096, "a line as net.ipv4.tcp_fastopen_key shows it")
	if err != nil {
		return tfo.Keys{}, err
	}
	keys, err := tfo.ParseKeys(string(text))
	if err != nil {
		return tfo.Keys{}, fmt.Errorf("cannot use the keys in %s: %s", called(name), strings.TrimPrefix(err.Error(), "tfo: "))
	}
	if n := len(keys.Backups()); n > 1 {
		return tfo.Keys{}, fmt.Errorf("%s has %d keys, and the kernel takes two, the primary and a backup: leave the others out", called(name), n+1)
	}
	return keys, nil
}

// readSecret reads a file that only its owner may read, or stdin if its name
// is "-". What is the word for what is in it, and like how it looks.
func readSecret(name, what string, most int, like string) ([]byte, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, fmt.Errorf("cannot read the %s in %s: %w", what, name, reason(err))
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("cannot read the %s in %s: %w", what, name, reason(err))
		}
		if info.IsDir() {
			return nil, fmt.Errorf("%s is a directory: name a file with %s", name, like)
		}
		// Of a device such as /dev/null the mode is as it has to be.
		if mode := info.Mode().Perm(); info.Mode()&fs.ModeDevice == 0 && mode&0o077 != 0 && runtime.GOOS != "windows" {
			return nil, fmt.Errorf("%s is open to other users (its mode is %04o), who could make cookies with the %s in it: run chmod 600 %s, and take a new one if others may have read it", name, mode, what, name)
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s in %s: %w", what, called(name), reason(err))
	}
	if len(text) > most {
		return nil, fmt.Errorf("%s has more than %d bytes, so it holds no %s: name a file with %s", called(name), most, what, like)
	}
	return text, nil
}

// called is what people call a file.
func called(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}
