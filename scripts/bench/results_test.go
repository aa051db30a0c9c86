package main

import "testing"

func TestInterval(t *testing.T) {
	nine := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, c := range []struct {
		values    []float64
		low, high float64
		ok        bool
	}{
		{nine, 2, 8, true},
		{nine[:6], 1, 6, true},
		{nine[:5], 0, 0, false}, // in one of 16 tries all five lie on one side of the median
		{nil, 0, 0, false},
	} {
		low, high, ok := interval(c.values)
		if ok != c.ok || ok && (low != c.low || high != c.high) {
			t.Errorf("%v: %v to %v, %t", c.values, low, high, ok)
		}
	}
}
