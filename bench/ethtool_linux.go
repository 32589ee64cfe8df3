package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtoolSet sets one of the switches of a device that have a command of their
// own: struct ethtool_value in include/uapi/linux/ethtool.h.
func ethtoolSet(fd int, device string, command, value uint32) error {
	v := [2]uint32{command, value}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // struct ifreq is longer
	}
	copy(request.name[:], device)
	request.data = unsafe.Pointer(&v)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
