package diagnose

// decidedEntries are found by phases, which decide by more than facts.
func decidedEntries() []Entry {
	return []Entry{
		{
			ID: "check-not-ignorable", Title: "a check is to be ignored that init can't do without",
			Means:  "nodeRegistration.ignorePreflightErrors takes kubeadm's names of checks. Where init does not work past a check, ignoring it would only hide why.",
			Remedy: "leave it out; what is found is said, each with its remedy",
		},
		{
			ID: "setting-settled", Title: "a setting can't be changed in a cluster that is there",
			Means:  "Addresses, ranges and names live on in etcd's data, in certificates and in running pods.",
			Remedy: "put the old value back in the config file; or start over: bootstrap reset",
		},
		{
			ID: "bundle-damaged", Title: "the bundle is damaged, or not for this machine",
			Means:  "Each file of the bundle has a checksum, and one does not match: the download or the disk has changed it. Or it is for another kind of CPU.",
			Remedy: "get it again: compare its SHA-256 with that of where it came from",
		},
		{
			ID: "no-runtime", Title: "there is no container runtime, or it is not clear which",
			Means:  "bootstrap uses the runtime that is there, or installs containerd from a bundle. With none, or with several, somebody has to say.",
			Remedy: "use an executable with a bundle inside, or name the runtime in the config file: nodeRegistration.criSocket",
		},
		{
			ID: "no-kubelet", Title: "there is no kubelet of the right version",
			Means:  "The kubelet must be of the control plane's version. bootstrap uses the one that is there, or installs the bundle's.",
			Remedy: "remove the other kubelet, or use a bundle of the version wanted",
		},
		{
			ID: "port-taken", Title: "a port of the control plane is taken",
			Means:  "Another program listens there already; the component that needs the port would end and start again for ever.",
			Remedy: "stop the program, or the cluster that it belongs to",
			Mend:   "stop the program, or have the pod listen at another port",
			Cause: func(e *Evidence) []Finding {
				return e.eachComponent(func(name string) *Finding { return e.portHeld(name) })
			},
		},
		{
			ID: "foreign-manifest", Title: "a manifest of the control plane is there already",
			Means:  "It is of another tool, such as kubeadm: bootstrap does not overwrite what it has not made.",
			Remedy: "if it is of an old cluster, remove that first: kubeadm reset",
		},
		{
			ID: "kubeconfig-conflict", Title: "a user's kubeconfig can't take the new cluster",
			Means:  "With --write-kubeconfig the cluster is added to ~/.kube/config, under names that another cluster has there; or the folder is not the user's.",
			Remedy: "remove the old entries with kubectl config, or run init without --write-kubeconfig",
		},
		{
			ID: "etcd-foreign-data", Title: "etcd's folder holds data already",
			Means:  "It is of another cluster. etcd would begin with it, and the certificates would not fit.",
			Remedy: "move it away, then run init again",
		},
		{
			ID: "etcd-data-gone", Title: "etcd's data was there and is gone",
			Means:  "An etcd that begins again with an empty folder serves an empty cluster. The data may lie on a disk that is not mounted.",
			Remedy: "mount its disk, or put a snapshot there (etcdutl snapshot restore), then run init again; if it is lost for good: bootstrap reset",
			Cause:  func(e *Evidence) []Finding { return e.etcdLogged(beginsAgain, "it is gone") },
		},
		{
			ID: "foreign-link", Title: "a network link has the name that flannel or the CNI plugin will use",
			Means:  "It is of another network, or was left by kubeadm reset. With another address it stops every pod.",
			Remedy: "if nobody needs it: ip link delete NAME",
		},
		{
			ID: "foreign-rules", Title: "the firewall has rules with the names that kube-proxy or flannel will use",
			Means:  "kube-proxy and flannel take chains and tables of their names for their own, and reset could not tell whose is what. kubeadm reset leaves them behind.",
			Remedy: "if they are of an old cluster, remove them; a reboot does",
		},
	}
}
