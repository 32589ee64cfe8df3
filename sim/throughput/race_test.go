//go:build race

package main

// race says that the race detector is on, which makes simulation ten times slower.
const race = true
