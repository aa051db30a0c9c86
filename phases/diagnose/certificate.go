package diagnose

func certificateEntries() []Entry { return nil }
