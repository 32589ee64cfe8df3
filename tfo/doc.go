// Package tfo holds TCP Fast Open (RFC 7413) as values: the option, cookies,
// the keys they are made from, what a client remembers of servers, and what
// became of a connection. It opens no sockets, starts no goroutines and reads
// no clock.
package tfo
