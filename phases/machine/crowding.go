package machine

import (
	"fmt"
	"runtime"
)

// Crowding tells how many processes share a CPU, now or on average of the last minute,
// whichever is more; 1 where none has to wait, or where the kernel does not tell.
func Crowding() float64 {
	return crowding(At("/").read("/proc/loadavg"), runtime.NumCPU())
}

// crowding reads lines like "0.20 0.18 0.12 1/80 11206": the first is the average, and
// before the slash is how many run now.
func crowding(loadavg string, cpus int) float64 {
	var last, five, fifteen, now float64 // averages of minutes
	if _, err := fmt.Sscanf(loadavg, "%f %f %f %f/", &last, &five, &fifteen, &now); err != nil {
		return 1
	}
	return max(1, max(last, now)/float64(cpus))
}
