package index

import (
	"fmt"
	"path"
	"strconv"
	"time"
)

// Dir is the directory of the files below the store's.
const Dir = "index"

const (
	nameLength = 17
	nameMax    = 99999999999999999
)

// nameAt is the name of a file that is made now: the local time as yyyyMMddHHmmssSSS. Names must
// grow, so a calendar that was set back gives the one behind the newest.
func nameAt(wall int64, zone *time.Location, newest int64) int64 {
	t := time.UnixMilli(wall).In(zone)
	day := int64(t.Year())*10000 + int64(t.Month())*100 + int64(t.Day())
	second := int64(t.Hour())*10000 + int64(t.Minute())*100 + int64(t.Second())
	return max((day*1_000_000+second)*1000+int64(t.Nanosecond()/1e6), newest+1)
}

func pathOf(name int64) string { return path.Join(Dir, fmt.Sprintf("%0*d", nameLength, name)) }

// IsName reports whether an index file may have a name.
func IsName(name string) bool {
	_, err := parseName(name)
	return err == nil
}

func parseName(name string) (int64, error) {
	number, err := strconv.ParseInt(name, 10, 64)
	if err != nil || number <= 0 || number > nameMax || path.Base(pathOf(number)) != name {
		return 0, fmt.Errorf("%s/%s: %w: a file here is named by the time it was made, with %d digits", Dir, name, ErrForeign, nameLength)
	}
	return number, nil
}
