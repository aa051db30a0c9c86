package machine

import (
	"runtime"
	"strconv"
	"strings"
)

// Crowding tells how many processes share a CPU, now or on average of the last minute,
// whichever is more; 1 where none has to wait, or where the kernel does not tell.
func Crowding() float64 {
	return crowding(At("/").read("/proc/loadavg"), runtime.NumCPU())
}

// crowding reads lines like "0.20 0.18 0.12 1/80 11206": the first is the average, and
// before the slash is how many run now.
func crowding(loadavg string, cpus int) float64 {
	fields := strings.Fields(loadavg)
	if len(fields) < 4 {
		return 1
	}
	average, _ := strconv.ParseFloat(fields[0], 64)
	running, _, _ := strings.Cut(fields[3], "/")
	now, _ := strconv.ParseFloat(running, 64)
	return max(1, max(average, now)/float64(cpus))
}
