package diagnose

import "time"

// Clock is by what the machine's clock is judged.
type Clock struct {
	Marks []Mark    // things made at a time that was now
	Built time.Time // when this program's source was; zero if unknown
}

// Mark is something that tells that a moment is past.
type Mark struct {
	What string // "the last record in the ledger"
	At   time.Time
	Firm bool // made on this machine, by its clock
}

const (
	clockSlack  = 2 * time.Minute          // what a clock may be put back by NTP
	dateSlack   = 26 * time.Hour           // for times that came from elsewhere
	clockTooFar = 5 * 365 * 24 * time.Hour // no release is used that long
)

func clockRules() map[string]Rule {
	return map[string]Rule{
		"clock-behind": {Check: clockBehind, Cause: clockPutBack},
		"clock-ahead":  {Check: clockAhead},
	}
}

func clockBehind(m *Machine) []Finding {
	for _, mark := range append(m.Clock.Marks, Mark{What: "this program", At: m.Clock.Built}) {
		slack := dateSlack
		if mark.Firm {
			slack = clockSlack
		}
		if mark.At.Sub(m.Now) > slack {
			return warningFound("the clock says %s, and %s is of %s", moment(m.Now), mark.What, moment(mark.At))
		}
	}
	return nil
}

// clockPutBack goes by this machine's own records alone.
func clockPutBack(e *Evidence) []Finding {
	for _, mark := range e.Clock.Marks {
		if mark.Firm && mark.At.Sub(e.Now) > clockSlack {
			return warningFound("the clock was put back: it says %s, and %s is of %s", moment(e.Now), mark.What, moment(mark.At))
		}
	}
	return nil
}

func clockAhead(m *Machine) []Finding {
	built := m.Clock.Built
	ahead := !built.IsZero() && m.Now.Sub(built) > clockTooFar
	return warnIf(ahead, "the clock says %s, more than 5 years after this program was made (%s)", moment(m.Now), moment(built))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
