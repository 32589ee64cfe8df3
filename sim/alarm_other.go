//go:build !linux

package sim

func newRealAlarm() (alarm, error) { return newTimerAlarm(), nil }
