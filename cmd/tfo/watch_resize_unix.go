//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onResize tells when the terminal has another size.
func onResize() (changed <-chan os.Signal, stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGWINCH)
	return ch, func() { signal.Stop(ch) }
}
