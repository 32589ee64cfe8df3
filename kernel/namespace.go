package kernel

import "fmt"

// A Namespace is a network namespace: an own set of interfaces, sockets,
// settings, keys and counters, such as a container has. All other functions of
// this package tell of the one that the calling thread is in; inside of
// [Namespace.Do] that is another one.
//
// It is a value that tells how to get there. It does not keep the namespace
// alive, so a container can end while a program watches it. The zero value is
// no namespace.
type Namespace struct {
	id   NamespaceID
	name string
	path string // as it can be opened
}

// A NamespaceID is what tells two network namespaces apart: the device and the
// inode of their file in nsfs. It may be used again once the namespace is
// gone.
type NamespaceID struct{ Dev, Inode uint64 }

// ID returns what tells n from every other network namespace of the machine.
func (n Namespace) ID() NamespaceID { return n.id }

// String returns a name for people: "this host" for that of process 1, or "this
// container" where no boot sets anything in it, "netns web" for one that "ip
// netns" knows, and "pid 4711 (nginx)" for one known by a process in it. It is
// fit to be printed on a terminal.
func (n Namespace) String() string { return n.name }

// Path returns the file by which n can be entered: /run/netns/NAME, or one
// below /proc.
func (n Namespace) Path() string { return n.path }

// String returns the number that lsns and ls -l /proc/PID/ns show.
func (id NamespaceID) String() string { return fmt.Sprintf("net:[%d]", id.Inode) }
