package probe

import (
	"fmt"
	"slices"
	"strings"
)

// String is the report in two sentences: what was found, and what to do about
// it.
func (r Report) String() string {
	s := fmt.Sprintf("%v: %v: %s", r.Target, r.Verdict, r.Summary())
	if a := r.Advice(); a != "" {
		s += " " + a
	}
	return s
}

// Summary says in one sentence what was found.
func (r Report) Summary() string {
	switch r.Verdict {
	case Works:
		return fmt.Sprintf("Fast Open works: data in the SYN was accepted on %s, which saves %s each%s.", r.of(r.Accepted), r.saving(), r.renewal())
	case Cookieless:
		return fmt.Sprintf("the server accepts data in a SYN from anybody, without a cookie, and grants none: this saves %s, but ordinary clients, which ask for a cookie first, never get that far.", r.saving())
	case LegacyOnly:
		if r.Mode == Kernel {
			return fmt.Sprintf("a cookie came only when asked for a second time, which Linux does with the old form of the option (kind 254), and with it data was accepted on %s.", r.of(r.Accepted))
		}
		return fmt.Sprintf("Fast Open works only with the old form of the option (kind 254): with it, data was accepted on %s; requests in today's form (kind 34) bring no cookie.", r.of(r.Accepted))
	case NoFastOpen:
		return "the server answers SYNs that ask for a cookie as if they did not: it has no Fast Open, or its queue for it is full, or something on the way takes the option out."
	case OptionStripped:
		return "something on the way takes the Fast Open option out of packets: the SYN-ACK has blanks where the option was."
	case KeysDiffer:
		return fmt.Sprintf("the servers behind this address have different keys: data was accepted on %s, %d refused the cookie, and there were %d different cookies%s.", r.of(r.Accepted), r.Refused, r.Cookies, r.alike())
	case CookieRefused:
		switch {
		case r.Withdrawn:
			return fmt.Sprintf("the server granted a cookie, then refused the data that came with it on %s, and now grants none: Fast Open has been switched off, or its queue is full.", r.of(r.Refused))
		case r.Cut:
			return fmt.Sprintf("a part of the data in the SYN was never accepted, on %s: something on the way cuts it off.", r.of(r.Refused))
		case r.heldCookie():
			return fmt.Sprintf("this host had a cookie of that address already, from another time or port, and data that came with it was refused on %s, with no new cookie in its place: Fast Open is off on this port, or its queue is full, or something on the way takes the data out.", r.of(r.Refused))
		}
		return fmt.Sprintf("the server grants a cookie and then refuses the data that comes with it, on %s: something on the way takes the data out or answers in the server's place.", r.of(r.Refused))
	case Varies:
		return fmt.Sprintf("Fast Open works on some connections only: data was accepted on %s%s.", r.of(r.Accepted), r.others())
	case OptionDropped:
		return "SYNs with the Fast Open option disappear on the way, plain ones are answered."
	case CookieDropped:
		return "asking for a cookie is answered, but SYNs that have a cookie disappear on the way, with data or without; plain ones are answered."
	case DataDropped:
		return fmt.Sprintf("SYNs with data disappear on the way: none of %d was answered, plain ones are.", r.Lost)
	case Blocked:
		return "after the first SYN with data nothing from this host was answered any more, not even plain SYNs: a firewall takes data in a SYN for an attack and blocks its sender, or the server went away just then."
	case ResetByFastOpen:
		if r.Sent > 0 {
			return "SYNs with data are answered by a RST, plain ones are accepted."
		}
		return "SYNs with the Fast Open option are answered by a RST, plain ones are accepted."
	case BlackHole:
		return fmt.Sprintf("data in the SYN is acknowledged, on %s, and then nothing more comes, while plain connections get an answer.", r.of(r.Accepted))
	case Refused:
		return "nothing listens on this port: plain SYNs too are answered by a RST."
	case Silent:
		return "nothing is answered, plain SYNs neither: the host is down, or a firewall drops what is sent to this port."
	case NotReachable:
		return "the network says that there is no way to this address" + r.why() + "."
	}
	return "it cannot be told: too few packets were answered to know chance from intent."
}

// Advice says what to do about it; "" when there is nothing to be done.
func (r Report) Advice() string {
	switch r.Verdict {
	case Works:
		if r.Renewed {
			return "Nothing needs to be done: clients get the new cookie as they go."
		}
		return ""
	case Cookieless:
		return "At the server, clear the bit 0x200 of net.ipv4.tcp_fastopen, unless all its clients are told to do without cookies."
	case LegacyOnly:
		return "The server's system is from before 2014: upgrade it."
	case NoFastOpen:
		return "If the server is yours, run tfo check there; if that finds Fast Open on, look for a firewall or proxy between that clears TCP options."
	case OptionStripped:
		return "Find the firewall, proxy or load balancer between that clears TCP options, and let it pass option 34."
	case KeysDiffer:
		return "Give all servers of the fleet the same keys: tfo keys derive."
	case CookieRefused:
		if r.Withdrawn {
			return "At the server, run tfo check and see whether its queue overflows; make it longer."
		}
		if r.heldCookie() {
			return "Probe with raw packets, as root, which tells these apart; if the server is yours, run tfo check there."
		}
		return "If the server is yours, see with tfo watch there whether its data arrives; look for a proxy or firewall between that rewrites SYNs."
	case Varies:
		return "Look for what differs between the servers behind this address, or between the paths to them; tfo check on each tells."
	case OptionDropped, CookieDropped, DataDropped, Blocked, ResetByFastOpen, BlackHole:
		return "Find the firewall between that does it, and let TCP option 34 and SYNs with data pass; until then, use Fast Open there only with clients that remember what failed."
	case Refused:
		return "Check the port, or start the server."
	case Silent, NotReachable:
		return "Check the address, and this host's network."
	}
	return "Try again, or with a longer --wait."
}

// heldCookie reports whether the cookie was this host's before the probe, which
// has seen none granted. In mode Kernel it is the kernel that has it, and it
// goes by the address alone (requirement CLI-1).
func (r Report) heldCookie() bool {
	return r.Mode == Kernel && !slices.ContainsFunc(r.Events, func(e Event) bool { return e.Granted != "" })
}

// of is "n of 6 connections".
func (r Report) of(n int) string {
	if r.Sent == 1 {
		return fmt.Sprintf("%d of 1 connection", n)
	}
	return fmt.Sprintf("%d of %d connections", n, r.Sent)
}

// saving is what a connection saves.
func (r Report) saving() string {
	switch {
	case !r.Measured && r.PlainFirstByte > 0 && r.FastFirstByte > 0:
		return fmt.Sprintf("one round trip (%s; the server's own time varies too much to show it)", inMillis(r.RTT))
	case !r.Measured:
		return fmt.Sprintf("one round trip (%s)", inMillis(r.RTT))
	}
	return fmt.Sprintf("%.2f round trips (%s to the server's first byte instead of %s)", r.Saved, inMillis(r.FastFirstByte), inMillis(r.PlainFirstByte))
}

func (r Report) renewal() string {
	if r.Renewed {
		return "; the server's key is being changed"
	}
	return ""
}

// alike names what looks like a fleet with different keys and is not.
func (r Report) alike() string {
	if r.Target.Addr().Is4() {
		return " (or this host's own address changes from connection to connection, behind a carrier's NAT)"
	}
	return ""
}

func (r Report) others() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.Refused, "refused"}, {r.Resets, "reset"}, {r.Lost, "not answered"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return ", but not each request for a cookie was granted"
	}
	return ", " + strings.Join(parts, ", ")
}

func (r Report) why() string {
	for _, e := range r.Events {
		if e.Answer == Unreachable && e.Detail != "" {
			return ": " + e.Detail
		}
	}
	return ""
}
