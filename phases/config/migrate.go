package config

import (
	"bytes"
	"errors"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Migrate gives the documents of a config file in the versions that init prefers:
// v1beta3 becomes v1beta4. Comments are lost. name is for messages. What init passes over is left
// as it is, with a warning.
func Migrate(name string, data []byte) (migrated []byte, warnings []string, err error) {
	d, errs := read(name, data)
	if len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	d.init.typeMeta, d.cluster.typeMeta = typeMeta{kubeadmV1beta4, initKind}, typeMeta{kubeadmV1beta4, clusterKind}
	if d.oldTimeout && !slices.Contains(d.order, initKind) {
		d.order = append([]string{initKind}, d.order...)
	}
	documents := map[string]any{ // by kind
		initKind: d.init, clusterKind: d.cluster, boxKind: d.box, kubeletKind: withTexts(d.kubelet), kubeProxyKind: withTexts(d.kubeProxy),
	}
	var all []any
	for _, kind := range d.order {
		document, known := documents[kind]
		if !known {
			document = d.roots[kind]
		}
		all = append(all, document)
	}
	migrated, err = encode(all)
	return migrated, d.warnings, err
}

func encode(documents []any) ([]byte, error) {
	if len(documents) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for _, document := range documents {
		if err := enc.Encode(document); err != nil {
			return nil, err
		}
	}
	err := enc.Close()
	return out.Bytes(), err
}
