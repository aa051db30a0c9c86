package phases

import (
	"bootstrap/phases/spec"
)

// forwardsTo is what CoreDNS asks for names of outside: the servers of the file that the
// kubelet gives pods as their resolver, empty if pods can reach none.
func (e *Env) forwardsTo() (string, error) {
	file := e.ResolverFile()
	if file == "" || !e.Host.Exists(file) {
		return "", nil
	}
	servers, err := e.Host.NameServers(file)
	return spec.Reachable(servers), err
}
