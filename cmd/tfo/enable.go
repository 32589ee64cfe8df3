package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

const enableLong = `enable turns TCP Fast Open on in the kernel, at once and without restarting
anything: for clients, so that programs may send data with the SYN; for servers,
so that listeners which ask for it may accept such data. Without --client and
--server it does both. It changes these two bits of the setting
net.ipv4.tcp_fastopen and leaves all others alone.

With --persist it also makes the next boot do so, by a few lines at the end of
/etc/sysctl.d/30-tcp_fastopen.conf. All else in that file is kept, and where the
boot does it anyway nothing is written. If another file wins over this one, the
line that does is named.

Before the first change, what was there is remembered: --undo puts it back, the
running value and the file, of the bits named by --client and --server or of
all. The running value is remembered in /run/fastopen until the next boot, and
after that it is what the boot would have set without these lines; the file
becomes again what it was, to the byte.

Containers have settings of their own, and mostly may not change them: name one
by a process in it, with --pid, from the host. --persist is about the host.

Exit codes: 0 it is as asked, 1 it is not, 2 the command line is wrong.`

const enableExample = `  tfo enable --dry-run            what would change
  tfo enable --persist            for clients and servers, now and after the next boot
  tfo enable --server             for servers, until the next boot
  tfo enable --server --pid 4711  in the container that process 4711 is in
  tfo enable --undo               as it was before tfo changed it`

const disableLong = `disable turns TCP Fast Open off in the kernel, at once: for clients, whose
programs connect the usual way from then on, and for servers, whose listeners
then accept no data with the SYN. Connections go on. Without --client and
--server it does both. It changes these two bits of the setting
net.ipv4.tcp_fastopen and leaves all others alone.

With --persist it also makes the next boot do so, by a few lines at the end of
/etc/sysctl.d/30-tcp_fastopen.conf. All else in that file is kept, and where the
boot does it anyway nothing is written. If another file wins over this one, the
line that does is named.

--undo puts back what tfo enable and tfo disable changed, the running value and
the file, of the bits named by --client and --server or of all. The running
value is remembered in /run/fastopen until the next boot, and after that it is
what the boot would have set without these lines; the file becomes again what it
was, to the byte.

Containers have settings of their own, and mostly may not change them: name one
by a process in it, with --pid, from the host. --persist is about the host.

Exit codes: 0 it is as asked, 1 it is not, 2 the command line is wrong.`

const disableExample = `  tfo disable --dry-run            what would change
  tfo disable --persist            for clients and servers, now and after the next boot
  tfo disable --server             for servers, until the next boot
  tfo disable --undo               as it was before tfo changed it`

// switchFlags are the flags of tfo enable and tfo disable.
type switchFlags struct {
	client, server bool
	persist        bool
	undo           bool
	dry            bool
	json           bool
	namespace      namespaceFlags
}

func newEnable() *cobra.Command {
	return newSwitch(&cobra.Command{
		Use:     "enable",
		Short:   "Turn Fast Open on in the kernel, also over reboots, and undo it",
		Long:    enableLong,
		Example: enableExample,
	}, true)
}

func newDisable() *cobra.Command {
	return newSwitch(&cobra.Command{
		Use:     "disable",
		Short:   "Turn Fast Open off in the kernel, or undo what tfo enable did",
		Long:    disableLong,
		Example: disableExample,
	}, false)
}

func newSwitch(cmd *cobra.Command, on bool) *cobra.Command {
	f := &switchFlags{}
	cmd.Args = noArguments
	cmd.RunE = verb(func(cmd *cobra.Command, _ []string) error {
		if err := f.namespace.check(cmd); err != nil {
			return err
		}
		if f.persist && f.namespace.given {
			return usagef("--persist is about the next boot, which sets the host's own network namespace and no other: leave out --persist, or --netns and --pid")
		}
		// As flags that are not given are false, that would mean both.
		for _, side := range [][2]string{{"client", "server"}, {"server", "client"}} {
			if flag := cmd.Flags().Lookup(side[0]); flag.Changed && flag.Value.String() == "false" {
				return usagef("--%s=false chooses nothing: write --%s for that one alone", side[0], side[1])
			}
		}
		s := &switching{flags: f, on: on, cmd: cmd, passing: passing()}
		if f.persist && s.passing != "" {
			return fmt.Errorf("--persist is about the next boot, which sets the host's own network namespace and not %s, where this runs: leave it out, or run this on the host", s.passing)
		}
		if err := f.namespace.do(cmd, s.change); err != nil {
			return advise(cmd, err)
		}
		return s.report()
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.client, "client", false, "for programs on this host that connect to others")
	flags.BoolVar(&f.server, "server", false, "for programs on this host that others connect to")
	flags.BoolVar(&f.persist, "persist", false, "also after the next boot, by "+kernel.PersistFile)
	flags.BoolVar(&f.undo, "undo", false, "put back what tfo enable and tfo disable changed, also in the file")
	flags.BoolVar(&f.dry, "dry-run", false, "only say what would change, and whether it may be changed")
	flags.BoolVar(&f.json, "json", false, "print what changed as a JSON object")
	f.namespace.add(cmd)
	return cmd
}

// passing names the namespace where tfo runs, if that is a container's or one of
// those that ip netns makes: no boot makes it again. "" stands for the host's
// own, and for one that cannot be told from it.
func passing() string {
	n, err := kernel.CurrentNamespace()
	if err == nil && (n.String() == inContainer || strings.HasPrefix(n.String(), "netns ")) {
		return n.String()
	}
	return ""
}

// inContainer is how a container is called from within.
const inContainer = "this container"

// bits are those that the flags name.
func (f *switchFlags) bits() (b kernel.Bits) {
	if f.client {
		b |= kernel.ClientBit
	}
	if f.server {
		b |= kernel.ServerBit
	}
	switch {
	case b != 0:
		return b
	case f.undo:
		return ^kernel.Bits(0)
	}
	return kernel.ClientBit | kernel.ServerBit
}
