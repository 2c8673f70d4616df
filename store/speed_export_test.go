package store

// Checkpoint makes all queue entries durable, as the store does now and then, so that a benchmark can tell how long it takes.
func Checkpoint(s *Store) error { return s.alone(s.checkpoint) }

// OpenFiles is how many files of the log and of queues are open.
func OpenFiles(s *Store) int { return s.logFiles.Open() + s.queueFiles.Open() }
