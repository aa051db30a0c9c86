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

func podURLEntries() []Entry {
	return []Entry{
		{
			ID: "pod-url-unreachable", Title: "the URL of static pods gives nothing",
			Means:  "The kubelet fetches pods from staticPodURL every 20 s (httpCheckFrequency). While it can't, it starts none of them, and lets those run that it had before; nor does it remove a pod of any kind before its first answer.",
			Remedy: "see that it answers with status 200: curl -v URL; one with a certificate of your own CA needs that in the machine's (update-ca-certificates); if it answers later, go on with: --ignore pod-url-unreachable",
			Check: func(m *Machine) []Finding {
				u := m.PodURL
				level := Error
				if u.Given {
					level = Warning
				}
				return findingIf(u.Error != "", Finding{Level: level, What: fmt.Sprintf("static pods can't be fetched from %s: %s", u.URL, u.Error)})
			},
		},
		{
			ID: "pod-url-no-pod", Title: "what the URL of static pods gives is no Pod",
			Means:  "The kubelet takes a Pod or a PodList of apiVersion v1, as YAML or JSON, of at most 10 MiB. From anything else it starts nothing; an empty answer stops all pods that came from the URL.",
			Remedy: "serve a Pod, or a PodList with apiVersion and kind",
			Check: func(m *Machine) []Finding {
				return findingIf(m.PodURL.Wrong != "", Finding{Level: Error, What: fmt.Sprintf("what %s gives can't be run: %s", m.PodURL.URL, m.PodURL.Wrong)})
			},
		},
		{
			ID: "pod-url-plain", Title: "static pods are fetched without TLS",
			Means:  "Whoever is between this machine and the server can run what they like on it as root, and reads the header.",
			Remedy: "serve them over https",
			Check: func(m *Machine) []Finding {
				what := fmt.Sprintf("%s is fetched without TLS: whoever is on the way decides what runs here as root", m.PodURL.URL)
				if m.PodURL.Header {
					what += ", and reads what staticPodURLHeader sends"
				}
				return findingIf(m.PodURL.Plain, Finding{Level: Warning, What: what})
			},
		},
	}
}
