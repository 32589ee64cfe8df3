package probe

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/tfo"
)

// The kernel tells any user what it remembers of a peer, by the generic netlink
// family "tcp_metrics": include/uapi/linux/tcp_metrics.h.
const (
	metricsFamily  = "tcp_metrics"
	metricsVersion = 1
	metricsGet     = 1 // TCP_METRICS_CMD_GET

	metricsAddr4  = 1  // TCP_METRICS_ATTR_ADDR_IPV4
	metricsAddr6  = 2  // TCP_METRICS_ATTR_ADDR_IPV6
	metricsCookie = 10 // TCP_METRICS_ATTR_FOPEN_COOKIE
)

// cachedCookie is the cookie that the kernel holds for an address, none if it
// holds none.
func cachedCookie(to netip.Addr) (tfo.Cookie, error) {
	id, err := familyID(metricsFamily)
	if err != nil {
		return tfo.Cookie{}, err
	}
	// To acknowledge is to answer with an error number, 0 included, which
	// ends the answer.
	req := nl.NewNetlinkRequest(id, unix.NLM_F_ACK)
	req.AddData(&nl.Genlmsg{Command: metricsGet, Version: metricsVersion})
	attr := metricsAddr6
	if to.Is4() {
		attr = metricsAddr4
	}
	req.AddData(nl.NewRtAttr(attr, to.AsSlice()))
	messages, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if errors.Is(err, unix.ESRCH) {
		return tfo.Cookie{}, nil // it has never heard of it
	}
	if err != nil {
		return tfo.Cookie{}, err
	}
	for _, m := range messages {
		if c, ok := parseMetrics(m); ok {
			return c, nil
		}
	}
	return tfo.Cookie{}, nil
}

// parseMetrics finds the cookie in an answer.
func parseMetrics(b []byte) (tfo.Cookie, bool) {
	v, ok := attribute(b, metricsCookie)
	if !ok {
		return tfo.Cookie{}, false
	}
	return tfo.CookieFrom(v)
}

// familyID asks for the number of a generic netlink family.
func familyID(name string) (int, error) {
	req := nl.NewNetlinkRequest(unix.GENL_ID_CTRL, unix.NLM_F_ACK)
	req.AddData(&nl.Genlmsg{Command: unix.CTRL_CMD_GETFAMILY, Version: 1})
	req.AddData(nl.NewRtAttr(unix.CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name)))
	messages, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		if v, ok := attribute(m, unix.CTRL_ATTR_FAMILY_ID); ok && len(v) == 2 {
			return int(binary.NativeEndian.Uint16(v)), nil
		}
	}
	return 0, unix.ENOENT
}

// attribute finds an attribute of a generic netlink message.
func attribute(message []byte, kind uint16) (value []byte, ok bool) {
	if len(message) < nl.SizeofGenlmsg {
		return nil, false
	}
	for b := message[nl.SizeofGenlmsg:]; len(b) >= unix.SizeofNlAttr; {
		size, k := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if size < unix.SizeofNlAttr || size > len(b) {
			return nil, false
		}
		if k&0x3fff == kind { // without the two flags above
			return b[unix.SizeofNlAttr:size], true
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil, false
}
