//go:build unix

package stack

// figure is a number of TCP_INFO that the machine counts in bytes.
func (d *drill) figure(name string, i *Info) (int64, bool) {
	segments := func(bytes uint32) (int64, bool) {
		mss := uint32(max(i.MSS, 1))
		return int64((bytes + mss - 1) / mss), true
	}
	switch name {
	case "tcpi_snd_cwnd":
		return int64(i.CWnd / uint32(max(i.MSS, 1))), true
	case "tcpi_unacked":
		return segments(i.Unacked)
	case "tcpi_sacked":
		return segments(i.Sacked)
	case "tcpi_lost":
		return segments(i.Lost)
	case "tcpi_retrans":
		return segments(i.Resent)
	case "tcpi_total_retrans":
		return int64(i.TotalResent), true
	case "tcpi_delivered":
		return int64(i.Delivered), true
	case "tcpi_snd_ssthresh":
		return segments(i.SSThresh)
	case "tcpi_backoff":
		return int64(i.Backoff), true
	case "tcpi_ca_state":
		switch {
		case i.Retransmits > 0:
			return 4, true
		case i.Recovering:
			return 3, true
		}
		return 0, true
	}
	return 0, false
}
