package machine

import "golang.org/x/sys/unix"

// ClockSynced tells whether a time service keeps the clock right, as timedatectl does: by the error that the
// kernel reckons with. known is false where the kernel may not be asked.
func ClockSynced() (synced, known bool) {
	const lost = 16_000_000 // microseconds, the most that the kernel counts to
	var clock unix.Timex
	_, err := unix.Adjtimex(&clock) // without a mode it changes nothing
	return err == nil && clock.Maxerror < lost, err == nil
}
