package diagnose

func apiServerEntries() []Entry { return nil }
