package diagnose

func runtimeEntries() []Entry { return nil }
