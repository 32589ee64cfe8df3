//go:build !race

package stack_test

const slower = 1
