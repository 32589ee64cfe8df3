//go:build !unix

package main

import "os"

// onResize never tells: the next interval finds out.
func onResize() (changed <-chan os.Signal, stop func()) { return nil, func() {} }
