package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/spf13/cobra"
)

// logPart is what inspect log is told.
type logPart struct {
	from, at int64 // -1: not given
	limit    int
	hex      bool
}

func newInspectLog(f *inspectFlags) *cobra.Command {
	var p logPart
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show the commit log: its files, messages, one message",
		Long: `Without --from and --at, lists the files of the commit log and says where it ends. With --from, lists messages
from a place on, which must be one where a message begins; -1 is the beginning. With --at, shows all of one message, and with
--hex its bytes.`,
		Example: `  gantry inspect log --dir /data/store
  gantry inspect log --dir /data/store --from -1 --limit 10
  gantry inspect log --dir /data/store --at 4096
  gantry inspect log --dir /data/store --at 4096 --hex`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := cmd.Flags().Changed("from") || cmd.Flags().Changed("limit")
			if err := p.check(list); err != nil {
				return err
			}
			return f.with(func(x *inspection) error {
				switch {
				case p.at >= 0:
					return x.oneRecord(message.LogOffset(p.at), p.hex)
				case list:
					return x.records(cmd.Context(), &p)
				}
				return x.logFiles()
			})
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&p.from, "from", -1, "list messages from this `place` in the log on; -1 is its beginning")
	flags.IntVar(&p.limit, "limit", 20, "list at most this `number` of messages")
	flags.Int64Var(&p.at, "at", -1, "show the message at this `place` in the log")
	flags.BoolVar(&p.hex, "hex", false, "show the bytes, with --at")
	return cmd
}

func (p *logPart) check(list bool) error {
	switch {
	case p.at >= 0 && list:
		return wrongUsage("give either --at for one message, or --from and --limit for many")
	case p.hex && p.at < 0:
		return wrongUsage("--hex shows the bytes of one message: say which with --at")
	case p.limit < 1:
		return wrongUsage("--limit: %d is not a number of messages", p.limit)
	}
	return nil
}

// logFiles lists the files of the log and finds out where it ends.
func (x *inspection) logFiles() error {
	start, end := x.store.Log()
	v := &logFilesView{Start: int64(start), End: int64(start), Files: []logFileEntry{}}
	for from := start; from < end; from = x.fileEnd(from) {
		entry := logFileEntry{Path: logFile(from), From: int64(from), To: int64(x.fileEnd(from))}
		_, _, err := x.store.Records(from, func(r *message.Record, _ message.LogOffset) bool {
			if r.LogOffset < x.fileEnd(from) {
				entry.FirstStoredAt = moment(r.StoredAt)
			}
			return false
		})
		if err != nil {
			return err
		}
		v.Files = append(v.Files, entry)
	}
	if start == end {
		return x.show(v)
	}
	at, problem, err := x.endOfLog(x.store.FileStart(end - 1))
	if err != nil {
		return err
	}
	v.End = int64(at)
	if problem != nil {
		v.Doubt = problem.Error()
	}
	return x.show(v)
}

// logFile is the path of the file that begins at a place.
func logFile(start message.LogOffset) string { return fmt.Sprintf("commitlog/%020d", start) }

// fileEnd is where the file ends that holds a place.
func (x *inspection) fileEnd(at message.LogOffset) message.LogOffset {
	return x.store.FileStart(at) + message.LogOffset(x.options.LogSegmentSize)
}

// endOfLog looks for the end from the checkpoint on, if that is a place in the last file where a record may begin: the file
// may be large.
func (x *inspection) endOfLog(lastFile message.LogOffset) (at message.LogOffset, problem, err error) {
	whole := func(*message.Record, message.LogOffset) bool { return true }
	checkpoint, err := x.store.Checkpoint()
	if err != nil {
		return lastFile, nil, err
	}
	if checkpoint.Own && checkpoint.Saved > lastFile {
		at, problem, err = x.store.Records(checkpoint.Saved, whole)
		if err != nil || problem == nil {
			return at, problem, err
		}
	}
	return x.store.Records(lastFile, whole)
}

// outside refuses a place that no file of the log holds.
func (x *inspection) outside(option string, at message.LogOffset) error {
	start, end := x.store.Log()
	if at >= start && at < end {
		return nil
	}
	return &failure{cause: fmt.Errorf("%s %d: the files of the log hold [%d, %d)", option, at, start, end), code: exitUsage, advice: "see the files with inspect log"}
}

func (x *inspection) records(ctx context.Context, p *logPart) error {
	from, _ := x.store.Log()
	if p.from >= 0 {
		from = message.LogOffset(p.from)
	}
	if err := x.outside("--from", from); err != nil {
		return err
	}
	v := &recordsView{Records: []recordView{}}
	at, problem, err := x.store.Records(from, func(r *message.Record, _ message.LogOffset) bool {
		v.Records = append(v.Records, newRecordView(r))
		return len(v.Records) < p.limit && ctx.Err() == nil
	})
	if err != nil {
		return err
	}
	v.Next = int64(at)
	if problem == nil {
		return x.show(v)
	}
	if len(v.Records) > 0 {
		err = x.show(v)
	}
	return errors.Join(err, x.doubt(at, problem))
}

// doubt is the failure of a place where no valid record stands.
func (x *inspection) doubt(at message.LogOffset, problem error) error {
	next, err := x.store.NextRecord(at)
	if err != nil {
		return errors.Join(problem, err)
	}
	return &failure{cause: fmt.Errorf("no message begins at %d: %w", at, problem), code: exitFailed,
		advice: fmt.Sprintf("go on at the next place where one may begin, %d; inspect check says whether the log is damaged", next)}
}

func (x *inspection) oneRecord(at message.LogOffset, asHex bool) error {
	if err := x.outside("--at", at); err != nil {
		return err
	}
	r, err := x.store.Record(at)
	size := hexWithoutRecord
	if err == nil {
		size = int64(r.TotalSize)
	} else if errors.Is(err, store.ErrNoRecord) {
		err = x.doubt(at, err)
	}
	if asHex {
		raw, failed := x.bytesOfLog(at, min(size, int64(x.fileEnd(at)-at)))
		if failed != nil {
			return failed
		}
		return errors.Join(x.show(&bytesView{At: int64(at), Bytes: raw}), err)
	}
	if err != nil {
		return err
	}
	v, err := newRecordDetail(r)
	return errors.Join(x.show(v), err)
}

// hexWithoutRecord is how many bytes are shown where no record tells its size.
const hexWithoutRecord = int64(256)

// bytesOfLog reads bytes of one file of the log as they stand there.
func (x *inspection) bytesOfLog(at message.LogOffset, n int64) ([]byte, error) {
	start := x.store.FileStart(at)
	file, err := x.env.Disk.Open(logFile(start))
	if err != nil {
		return nil, err
	}
	p := make([]byte, n)
	read, err := file.ReadAt(p, int64(at-start))
	return p[:read], errors.Join(err, file.Close())
}
