package machine

import "testing"

func TestCrowding(t *testing.T) {
	for loadavg, want := range map[string]float64{
		"0.20 0.18 0.12 1/80 11206\n":     1,
		"9.00 9.06 4.48 13/311 1720\n":    6.5,
		"12.00 9.06 4.48 1/311 1720\n":    6,
		"":                                1,
		"no figures in these fields\n":    1,
		"1.00 1.00 1.00 2/300 4194304\n":  1,
		"0.00 0.00 0.00 -1/300 4194304\n": 1,
	} {
		if got := crowding(loadavg, 2); got != want {
			t.Errorf("%q: %g, want %g", loadavg, got, want)
		}
	}
}
