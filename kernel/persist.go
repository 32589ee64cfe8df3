package kernel

// PersistFile is the file that [Persist] writes.
const PersistFile = "/etc/sysctl.d/30-tcp_fastopen.conf"

// Persisted is what [Persist] and [Unpersist] did, or would do.
type Persisted struct {
	Before, After Bits      // what the next boot sets net.ipv4.tcp_fastopen to, without and with it
	Want          Bits      // what it was to be; another than After if a line elsewhere wins
	Wrote         bool      // PersistFile was changed, or made
	Removed       bool      // PersistFile was removed: nothing else was in it
	Winner        *BootLine // the line that makes After another than Want, be it because the kernel refuses its value
	Boot          BootPlan  // of the next boot, with the change
}
