package diagnose

func componentEntries() []Entry { return nil }
