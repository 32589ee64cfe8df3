package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os/user"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
)

// ownTCP are the flags by which a verb uses this project's own TCP, at the end
// of a TUN device, in place of the kernel's.
type ownTCP struct {
	device string
	addrs  []string
	dns    []string

	stack    *stack.Stack // nil for the kernel's TCP
	prefixes []netip.Prefix
	servers  []netip.AddrPort
}

const ownTCPLong = `
With --stack the project's own TCP takes the kernel's place: it is a host of its
own, with the address of --addr, at the other end of the TUN device of that name
(a network interface whose packets a program reads and writes). Who is not root
needs a device made for them, and this host an address on it:

  sudo ip tuntap add tun0 mode tun user $USER
  sudo ip addr add 10.0.0.1/24 dev tun0
  sudo ip link set tun0 up`

func (o *ownTCP) flags(cmd *cobra.Command, dns bool) {
	flags := cmd.Flags()
	flags.StringVar(&o.device, "stack", "", "use this project's own TCP, at the other end of the TUN device `NAME`")
	flags.StringArrayVar(&o.addrs, "addr", nil, "the address of --stack and its network, `ADDR/LEN` such as 10.0.0.2/24; can be repeated")
	if dns {
		flags.StringArrayVar(&o.dns, "dns", nil, "look names up at the server `ADDR` over --stack; can be repeated")
	}
}

// check finds what is wrong with the flags.
func (o *ownTCP) check() error {
	switch {
	case o.device == "" && len(o.addrs)+len(o.dns) > 0:
		return usagef("--addr and --dns are for --stack: name its device, such as --stack tun0")
	case o.device == "":
		return nil
	case len(o.addrs) == 0:
		return usagef("--stack %s needs an address of its own: give one with --addr, such as --addr 10.0.0.2/24", o.device)
	case len(o.device) > 15:
		return usagef("--stack %q is no name of a device: it may have 15 letters at most", o.device)
	}
	for _, text := range o.addrs {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().IsUnspecified() || p.Addr().IsMulticast() || p.Addr().IsLoopback() {
			return usagef("--addr %q is no address with the length of its network: write it like 10.0.0.2/24 or fd00::2/64", text)
		}
		o.prefixes = append(o.prefixes, p)
	}
	for _, text := range o.dns {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return usagef("--dns %q is no address: write it like 10.0.0.1", text)
		}
		o.servers = append(o.servers, netip.AddrPortFrom(a, 53))
	}
	return nil
}

// open opens the device and starts the stack. What keeps packets from passing
// goes to note.
func (o *ownTCP) open(note func(format string, args ...any)) error {
	if o.device == "" {
		return nil
	}
	queues, err := link.OpenTUNQueues(link.TUNConfig{Name: o.device}, 1)
	if err != nil {
		return o.explain(err)
	}
	o.stack, err = stack.New(stack.Config{
		Links:     []stack.Link{queues[0]},
		Addresses: o.prefixes,
		DNS:       o.servers,
	})
	if err != nil {
		queues[0].Close()
		return fmt.Errorf("cannot use --stack %s: %w", o.device, err)
	}
	if missing := o.missing(); missing != "" {
		note("%s: on this side %s. Set it up with:\n  %s", o.device, missing, o.remedy())
	}
	o.settle()
	return nil
}

// settle waits until the kernel has noticed that somebody is at the other end
// of the device. Before that it drops what it has to send there, such as the
// answer to our first SYN.
func (o *ownTCP) settle() {
	for range 200 {
		i, err := net.InterfaceByName(o.device)
		if err != nil || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning != 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// close ends the stack when its connections have ended, or after patience.
func (o *ownTCP) close(patience time.Duration) {
	if o.stack == nil {
		return
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		var open int
		o.stack.Do(func(_ time.Time, h *stack.Host) { open, _ = h.Sockets() })
		if open == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	o.stack.Close()
}

// explain says why the device cannot be used.
func (o *ownTCP) explain(err error) error {
	who := "USER"
	if u, uerr := user.Current(); uerr == nil {
		who = u.Username
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("--stack needs a TUN device, which is for Linux only here: try tfo demo instead")
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot make the TUN device %s: that is for root; have it made for you with: sudo ip tuntap add %s mode tun user %s", o.device, o.device, who)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot make the TUN device %s: this system has no TUN driver; load it with: sudo modprobe tun", o.device)
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("cannot use the TUN device %s: another program does already; choose another name", o.device)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("cannot use %s: it is an interface of another kind, or an old one with other flags; choose another name", o.device)
	}
	return fmt.Errorf("cannot use the TUN device %s: %w", o.device, err)
}

// missing says what keeps the kernel from passing packets to the device.
func (o *ownTCP) missing() string {
	i, err := net.InterfaceByName(o.device)
	if err != nil {
		return ""
	}
	addrs, _ := i.Addrs()
	global := false
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			global = true
		}
	}
	switch {
	case i.Flags&net.FlagUp == 0 && !global:
		return "it is down and has no address"
	case i.Flags&net.FlagUp == 0:
		return "it is down"
	case !global:
		return "it has no address"
	}
	return ""
}

// remedy is the commands that set the device up on the kernel's side.
func (o *ownTCP) remedy() string {
	p := o.prefixes[0]
	other := p.Masked().Addr().Next()
	if other == p.Addr() {
		other = other.Next()
	}
	return fmt.Sprintf("%s && %s",
		asRoot(fmt.Sprintf("ip addr add %v dev %s", netip.PrefixFrom(other, p.Bits()), o.device)),
		asRoot(fmt.Sprintf("ip link set %s up", o.device)))
}

// addresses are those of the stack.
func (o *ownTCP) addresses() (list []netip.Addr) {
	for _, p := range o.prefixes {
		list = append(list, p.Addr())
	}
	return list
}
