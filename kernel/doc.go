// Package kernel says how this host's kernel is set up for TCP Fast Open
// (RFC 7413).
//
// # Usage
//
//	bits, err := kernel.FastOpen()
//	if err == nil && !bits.Server() {
//		fmt.Println("turn it on with:", bits.TurnOn(kernel.ServerBit))
//	}
//
// [Listeners] tells who listens, and in which of the sockets Fast Open is on.
// [Attach] turns it on in a server that runs, without its help, and a [Keeper]
// keeps it on while that is reloaded and restarted:
//
//	listeners, err := kernel.Listeners()
//	for _, l := range listeners {
//		if l.Local.Port() == 443 {
//			_, err = kernel.Attach(l, 0)
//		}
//	}
//
// All of this is each network namespace's own, as containers have one:
// [Namespace.Do] goes to another one. [ReadCounters] tells what Fast Open did
// there:
//
//	all, _, err := kernel.Namespaces()
//	for _, n := range all {
//		err = n.Do(func() error {
//			c, err := kernel.ReadCounters()
//			for _, r := range c.Remarks() {
//				fmt.Printf("%v: %s\n", n, r.Text)
//			}
//			return err
//		})
//	}
//
// # Limitations
//
// Linux only; elsewhere everything that asks the kernel returns
// [errors.ErrUnsupported]. [Boot] alone works everywhere.
//
// What [Boot] foretells is what systemd-sysctl and sysctl --system of procps-ng
// 4 make of the files and of the kernel's command line; programs that set the
// setting later, such as tuned, it does not know. Of two programs that change
// the same setting or the same file at the same moment, by [SetFastOpen] or by
// [Persist], the last one wins.
package kernel
