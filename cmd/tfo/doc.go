// Command tfo serves, fetches and measures over TCP Fast Open (RFC 7413), and
// says what came of it.
//
// # Usage
//
//	tfo serve [DIR]    HTTP and HTTPS with Fast Open; a page about the visitor's connection
//	tfo get URL...     like curl, with what Fast Open did and what it saved
//	tfo check          whether Fast Open is on here, and what to do where it is not
//	tfo enable, tfo disable
//	                   turn it on and off, now and after the next boot
//	tfo attach, tfo detach
//	                   the same in a server that runs already
//	tfo watch          what it does, live, or for Prometheus
//	tfo keys           the keys that make cookies: show, set, generate, derive
//	tfo probe HOST...  what a host, and the path to it, do with Fast Open
//	tfo demo           what Fast Open is, drawn from a simulation
//	tfo explain        a short manual
//	tfo completion SHELL, tfo man DIR
//	tfo version
//
// tfo --help and tfo VERB --help tell the rest. Exit codes: 0 it worked, 1 it
// failed, 2 the command line is wrong.
//
// # Limitations
//
// What tfo get reports of a connection is what this host's kernel says of it.
// On systems other than Linux, tfo get connects the plain way, and tfo serve
// cannot tell whether the host's own switch is on.
package main
