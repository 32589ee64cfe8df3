package kernel_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fastopen-go/fastopen/kernel"
)

// Of what two files say the later name wins, here over the file that Persist
// writes.
func ExamplePersist() {
	root, err := os.MkdirTemp("", "") // "" in its place is this host
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	dir := filepath.Join(root, "etc/sysctl.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	web := filepath.Join(dir, "99-web.conf")
	if err := os.WriteFile(web, []byte("net.ipv4.tcp_fastopen = 1\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	p, err := kernel.Persist(root, kernel.ServerBit, 0, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("wanted", p.Want)
	fmt.Println("but", p.Winner.Where(), "sets", p.After)

	if err := os.Remove(web); err != nil {
		log.Fatal(err)
	}
	fmt.Println("without it", kernel.Boot(root).Bits())
	if p, err = kernel.Unpersist(root, ^kernel.Bits(0), false); err != nil {
		log.Fatal(err)
	}
	fmt.Println("undone", p.After)
	// Output:
	// wanted 3: on for clients and for servers
	// but /etc/sysctl.d/99-web.conf:1 sets 1: on for clients, off for servers
	// without it 3: on for clients and for servers
	// undone 1: on for clients, off for servers
}

// What Fast Open did in each container of this machine.
func ExampleNamespaces() {
	all, hidden, err := kernel.Namespaces()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range all {
		var c kernel.Counters
		err := n.Do(func() (err error) {
			c, err = kernel.ReadCounters()
			return err
		})
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, r := range c.Remarks() {
			fmt.Printf("%v: %s\n", n, r.Text)
		}
	}
	if hidden > 0 {
		fmt.Println("Run this as root to see all of them.")
	}
}
