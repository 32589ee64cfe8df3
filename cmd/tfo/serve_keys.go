package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/fastopen-go/fastopen/tfo"
)

// readKeys reads a file with cookie keys. It refuses one that other users
// can read, since whoever has the keys can make cookies for any client.
func readKeys(name string) (tfo.Keys, error) {
	f, err := os.Open(name)
	if err != nil {
		return tfo.Keys{}, fmt.Errorf("cannot read the keys in %s: %w", name, reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return tfo.Keys{}, fmt.Errorf("cannot read the keys in %s: %w", name, reason(err))
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return tfo.Keys{}, fmt.Errorf("the keys in %s are open to other users (its mode is %04o), who could make cookies with them: run chmod 600 %s, and use new keys if others may have read them", name, mode, name)
	}
	const most = 4096
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return tfo.Keys{}, fmt.Errorf("cannot read the keys in %s: %w", name, reason(err))
	}
	if len(text) > most {
		return tfo.Keys{}, fmt.Errorf("%s has more than %d bytes, so it holds no keys: name a file with a line as net.ipv4.tcp_fastopen_key shows it", name, most)
	}
	keys, err := tfo.ParseKeys(string(text))
	if err != nil {
		return tfo.Keys{}, fmt.Errorf("cannot use the keys in %s: %s", name, strings.TrimPrefix(err.Error(), "tfo: "))
	}
	if n := len(keys.Backups()); n > 1 {
		return tfo.Keys{}, fmt.Errorf("%s has %d keys, and the kernel takes two, the primary and a backup: leave the others out", name, n+1)
	}
	return keys, nil
}
