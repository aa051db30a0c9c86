package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

// MemberNote names the note that says that etcd's data directory has held a member of this cluster.
func (s *State) MemberNote() string { return s.besideSettled("member") }

// Setting is a field of the config that lives on in data, certificates and running pods: once etcd
// has begun, another init can't change it. It is kept in the ledger.
type Setting struct {
	Field string `json:"field"`
	Value string `json:"value"`
	why   string // it can't be changed
}

const (
	taintsField = "nodeRegistration.taints"
	socketField = "nodeRegistration.criSocket"
	nameField   = "nodeRegistration.name"

	addressField = "localAPIEndpoint.advertiseAddress"
)

func settled(c *config.Config) []Setting {
	external := cmp.Or(c.Etcd.External, &config.ExternalEtcd{})
	return []Setting{
		{"kubernetesVersion", c.KubernetesVersion, "another version is an upgrade, which bootstrap does not do yet"},
		{"certificatesDir", c.CertificatesDir, "the cluster's CAs lie there"},
		{"etcd.external.endpoints", strings.Join(external.Endpoints, ","), "the cluster's data lies there"},
		{"etcd.local.dataDir", c.Etcd.DataDir, "the cluster's data lies there"},
		{addressField, c.AdvertiseAddress.String(), "etcd's member and the Node carry it"},
		{"networking.dnsDomain", c.Networking.DNSDomain, "service accounts' tokens and running pods carry it"},
		{"networking.podSubnet", config.Joined(c.Networking.PodSubnets), "pods have addresses of it"},
		{"networking.serviceSubnet", config.Joined(c.Networking.ServiceSubnets), "Services have addresses of it"},
		{"network", c.Box.Network, "pods have its addresses"},
		{socketField, c.CRISocket, "the pods run in it"},
		{nameField, c.NodeName, "the Node, etcd's member and their certificates carry it"},
		{taintsField, config.Joined(c.Taints), "the kubelet sets them only when the Node registers; use kubectl taint"},
	}
}

// KeepSettled keeps the settings, and the whole config. It is called before the first of them
// takes hold.
func (s *State) KeepSettled() error {
	if err := s.Keep(settled(s.Config)...); err != nil {
		return err
	}
	return s.Remember(s.configNote(), ClusterRecord)
}

// Keep keeps settings in the ledger.
func (s *State) Keep(settings ...Setting) error {
	data, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return s.Host.Remember(s.SettledNote(), string(data))
}

// SettledBefore is what was kept, by the settings' fields; nil without.
func (s *State) SettledBefore() (map[string]string, error) {
	note, ok := s.Host.Recall(s.SettledNote())
	if !ok {
		return nil, nil
	}
	var all []Setting
	if err := json.Unmarshal([]byte(note), &all); err != nil {
		return nil, fmt.Errorf("ledger: note %s: %w", s.SettledNote(), err)
	}
	return valuesOf(all), nil
}

func valuesOf(all []Setting) map[string]string {
	values := map[string]string{}
	for _, each := range all {
		values[each.Field] = each.Value
	}
	return values
}

// SettledSingleNode tells whether this machine's cluster was made as a single node, which a later
// run need not say again. It is nil before there is a cluster.
func SettledSingleNode(h *host.Host) *bool {
	s := &State{Host: h}
	if made, err := s.noted(s.configNote()); err == nil && made != nil {
		return &made.Box.SingleNode
	}
	before, err := s.SettledBefore() // an earlier bootstrap kept only this
	taints, known := before[taintsField]
	single := taints == ""
	if err != nil || !known || !single && taints != config.Joined(config.ControlPlaneTaints()) {
		return nil // preflight says what is wrong with the note
	}
	return &single
}

// AsMade is the machine as this cluster, or its standalone kubelet, was made on it: its name, its address, and
// whether it is alone. So neither a new hostname nor a default route by a VPN changes what the config leaves open. A
// standalone kubelet goes on with another address; a cluster can't, and preflight says that its own is gone.
func AsMade(h *host.Host, m config.Machine) config.Machine {
	s := &State{Host: h}
	before, _ := s.SettledBefore() // preflight says what is wrong with the note
	if old, err := netip.ParseAddr(before[addressField]); err == nil && m.Address.IsValid() {
		m.Address = old
	}
	if alone, err := s.StandaloneConfig(); err == nil && alone != nil && before == nil {
		before = valuesOf(settled(alone))
	}
	m.SingleNode = SettledSingleNode(h)
	m.Hostname = cmp.Or(before[nameField], m.Hostname)
	here, _ := h.Addresses()
	for _, a := range here {
		if a.Address.String() == before[addressField] {
			m.Address = a.Address
		}
	}
	return m
}

// UnlikeBefore says what the config wants to change and init can't, one sentence for each.
func (s *State) UnlikeBefore() ([]string, error) {
	before, err := s.SettledBefore()
	if err != nil {
		return nil, err
	}
	differ, err := s.unlikeStandalone()
	return append(differ, s.unlike(before, "in this cluster", settled(s.Config))...), err
}

// AddressSettled tells whether the cluster that is here was made with this config's advertise address.
func (s *State) AddressSettled() bool {
	before, err := s.SettledBefore()
	return err == nil && before[addressField] == s.Config.AdvertiseAddress.String()
}

// unlike says which settings differ from what they were where. To name the runtime that init had
// chosen by itself is no change.
func (s *State) unlike(before map[string]string, where string, now []Setting) []string {
	endpoint, _ := s.Host.Recall(RuntimeNote)
	var differ []string
	for _, each := range now {
		was, known := before[each.Field]
		namesRuntimeInUse := each.Field == socketField && each.Value != "" && each.Value == endpoint
		if known && was != each.Value && !namesRuntimeInUse {
			differ = append(differ, fmt.Sprintf("%s is %q %s and %q in the config; it can't be changed: %s", each.Field, was, where, each.Value, each.why))
		}
	}
	return differ
}

// SettledNote names the note that keeps the settings. The name holds the number of the record of
// etcd's data in the ledger, or, where etcd is elsewhere, that of the first certificate: when a
// reset has removed these, the settings are over too, even if the ledger is kept.
func (s *State) SettledNote() string {
	all := s.Host.Entries()
	for _, is := range []func(host.Record) bool{IsEtcdData, isCertificate} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return fmt.Sprintf("settled by %d", all[i].ID)
		}
	}
	return "settled without data" // of a cluster that was adopted
}

func isCertificate(r host.Record) bool { return r.Purpose == host.Certificates && !r.Undone }

// IsEtcdData tells whether a record is of etcd's data directory, which is still there.
func IsEtcdData(r host.Record) bool {
	return r.Purpose == host.Etcd && r.Op == host.OpTree && !r.Undone
}
