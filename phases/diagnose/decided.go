package diagnose

// decidedRules are of what preflight finds by itself.
func decidedRules() map[string]Rule {
	return map[string]Rule{
		"check-not-ignorable": {Decided: true},
		"setting-settled":     {Decided: true},
		"bundle-damaged":      {Decided: true},
		"no-runtime":          {Decided: true},
		"no-kubelet":          {Decided: true},
		"port-taken":          {Decided: true, Cause: ofFirstComponent((*Evidence).portHeld)},
		"foreign-manifest":    {Decided: true},
		"kubeconfig-conflict": {Decided: true},
		"etcd-foreign-data":   {Decided: true},
		"etcd-data-gone":      {Decided: true, Cause: etcdLogged(beginsAgain, "it is gone")},
		"foreign-link":        {Decided: true},
		"foreign-rules":       {Decided: true},
	}
}
