package diagnose

func etcdEntries() []Entry { return nil }
