package diagnose

func kubeletEntries() []Entry { return nil }
