package diagnose

import "fmt"

// PodURL is what the kubelet is to fetch static pods from; without URL there is nothing.
type PodURL struct {
	URL    string // as it may be shown
	Error  string // why it gives nothing
	Wrong  string // why what it gives is no pod
	Plain  bool   // over HTTP, and not from this machine
	Header bool   // a secret may be sent along
	Given  bool   // to the kubelet already, by a run before
}

func podURLRules() map[string]Rule {
	return map[string]Rule{
		"pod-url-unreachable": {Check: func(m *Machine) []Finding {
			u := m.PodURL
			f := Finding{Level: Error, What: fmt.Sprintf("static pods can't be fetched from %s: %s", u.URL, u.Error)}
			if u.Given {
				f.Level = Warning
			}
			return findingIf(u.Error != "", f)
		}},
		"pod-url-no-pod": {Check: func(m *Machine) []Finding {
			return errorIf(m.PodURL.Wrong != "", "what %s gives can't be run: %s", m.PodURL.URL, m.PodURL.Wrong)
		}},
		"pod-url-plain": {Check: func(m *Machine) []Finding {
			also := ""
			if m.PodURL.Header {
				also = ", and reads what staticPodURLHeader sends"
			}
			return warnIf(m.PodURL.Plain, "%s is fetched without TLS: whoever is on the way decides what runs here as root%s", m.PodURL.URL, also)
		}},
	}
}
