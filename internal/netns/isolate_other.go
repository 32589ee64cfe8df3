//go:build !linux

package netns

import "testing"

// Isolate skips the test: only Linux has network namespaces.
func Isolate(t *testing.T) bool {
	t.Helper()
	t.Skip("network namespaces: only Linux has them")
	return true
}
