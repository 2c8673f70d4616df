package store

// What monitoring asks of a store, besides the watermarks. None of it is needed to serve anybody, and none of it waits.

// Sizes are those of the files, in bytes.
type Sizes struct{ Log, Queues, Index int64 }

// Sizes adds up the files that there are. pause is called after each queue: there may be many, and the caller may let others have a turn. Queues
// that come or go meanwhile are counted or not.
func (s *Store) Sizes(pause func()) Sizes {
	sizes := Sizes{Log: s.log.End() - s.log.Start()}
	for i := 0; i < len(s.order); i++ {
		row := s.order[i].row
		sizes.Queues += row.End() - row.Start()
		pause()
	}
	if s.keys.files != nil {
		sizes.Index = s.keys.files.FileBytes()
	}
	return sizes
}

// OpenFiles is how many files of the log and of queues are open.
func (s *Store) OpenFiles() int { return s.logFiles.Open() + s.queueFiles.Open() }

// IndexBehind is how many confirmed bytes of the log have no keys in the index yet; 0 if there is none.
func (s *Store) IndexBehind() int64 {
	if s.keys.follower == nil {
		return 0
	}
	return s.keys.follower.Behind()
}

// QueueCount is how many queues there are.
func (s *Store) QueueCount() int { return len(s.order) }

// DiskLimits are the shares of the disk at which cleaning becomes stricter.
func (s *Store) DiskLimits() DiskUse { return s.options.DiskUse }
