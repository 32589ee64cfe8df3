//go:build race

package stack_test

// slower is by how much tests that only take long are cut under the race detector.
const slower = 12
