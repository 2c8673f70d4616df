package lint

// What deterministic packages must not use, and what they use instead. The same
// seed must give the same history on every machine; each of these would bring in
// something that differs from run to run: the time, the scheduler, the machine, the order of a map.

// forbidden is one thing and its replacement.
type forbidden struct{ what, instead string }

// allowedImports are let through although a row of forbiddenImports covers them: they compute and ask nobody.
var allowedImports = []string{"net/netip", "net/url"}

// forbiddenImports are import paths; "x/..." is x and all below it.
var forbiddenImports = []forbidden{
	{"math/rand/...", "use env.Rand: its streams come from the seed"},
	{"crypto/rand", "use env.Rand: its streams come from the seed"},
	{"hash/maphash", "use a hash without a random seed, such as hash/crc32 or hash/fnv"},
	{"os/...", "use env.Disk for files, and an Options struct for what the environment would say"},
	{"io/ioutil", "use env.Disk"},
	{"path/filepath", "use env.Disk, and the package path to put names together"},
	{"syscall", "use env.Disk or env.Network"},
	{"golang.org/x/sys/...", "use env.Disk or env.Network"},
	{"net/...", "use env.Network; net/netip is fine for addresses"},
	{"crypto/tls", "use env.Network: connections of the production world may be encrypted below it"},
	{"runtime/...", "leave the Go runtime alone: what it tells differs from run to run"},
	{"weak", "keep an ordinary reference: when the collector runs differs from run to run"},
	{"sync/...", "use nothing: code between two calls of env is atomic. To wait, use env.Cond, env.Queue or env.Semaphore"},
	{"golang.org/x/sync/...", "use env.Group, env.Semaphore or env.Future"},
	{"unsafe", "write it in plain Go, and measure before asking for an exception"},
	{"log/...", "use env.Env.Log, which carries the world's time"},
	{"flag", "take an Options struct: only commands read flags"},
	{"C", "write it in Go: the binary is built without cgo"},
}

// forbiddenNames are functions and values of packages that are otherwise fine.
var forbiddenNames = []forbidden{
	{"time.Now", "use env.Clock.Now for intervals, env.Clock.Wall for calendar time"},
	{"time.Since", "use env.Clock.Now and Instant.Sub"},
	{"time.Until", "use env.Clock.Now and Instant.Sub"},
	{"time.Sleep", "use env.Tasks.Sleep"},
	{"time.After", "use env.Cond.WaitUntil"},
	{"time.AfterFunc", "use a task that waits: env.Tasks.Go and env.Cond.WaitUntil"},
	{"time.NewTimer", "use env.Cond.WaitUntil"},
	{"time.NewTicker", "use a task that loops around env.Tasks.Sleep"},
	{"time.Tick", "use a task that loops around env.Tasks.Sleep"},
	{"time.Local", "use time.UTC, or a zone from Options: machines differ in theirs"},
	{"time.LoadLocation", "use time.FixedZone: machines differ in the zones they know"},
	{"time.Unix", "use env.WallMillis.Time, or add .UTC(): machines differ in their zone"},
	{"time.UnixMilli", "use env.WallMillis.Time, or add .UTC(): machines differ in their zone"},
	{"time.UnixMicro", "use env.WallMillis.Time, or add .UTC(): machines differ in their zone"},
	{"context.WithCancel", "use env.Call, which the Door makes of a context"},
	{"context.WithCancelCause", "use env.Call, which the Door makes of a context"},
	{"context.WithTimeout", "use a deadline of type env.Instant"},
	{"context.WithTimeoutCause", "use a deadline of type env.Instant"},
	{"context.WithDeadline", "use a deadline of type env.Instant"},
	{"context.WithDeadlineCause", "use a deadline of type env.Instant"},
	{"context.AfterFunc", "use env.Tasks.Go"},
	{"iter.Pull", "use env.Tasks.Go and env.Queue"},
	{"iter.Pull2", "use env.Tasks.Go and env.Queue"},
	{"fmt.Print", "use env.Env.Log, or return the text"},
	{"fmt.Printf", "use env.Env.Log, or return the text"},
	{"fmt.Println", "use env.Env.Log, or return the text"},
	{"maps.Keys", "use slices.Sorted(maps.Keys(…))"},
	{"maps.Values", "range over sorted keys: use slices.Sorted(maps.Keys(…))"},
	{"maps.All", "range over sorted keys: use slices.Sorted(maps.Keys(…))"},
}

// forbiddenMethods are methods by their full name as go/types writes it.
var forbiddenMethods = []forbidden{
	{"(time.Time).Local", "use UTC: machines differ in their zone"},
	{"(reflect.Value).MapRange", "sort the keys first: the order of a map differs from run to run"},
	{"(reflect.Value).MapKeys", "sort the keys first: the order of a map differs from run to run"},
	{"(reflect.Value).Pointer", "give the thing a name or a number: addresses differ from run to run"},
}

// blessings are calls that undo what is wrong with a forbidden one that they directly enclose or follow.
var blessings = map[string][]string{
	"time.Unix":      {".UTC", ".In"},
	"time.UnixMilli": {".UTC", ".In"},
	"time.UnixMicro": {".UTC", ".In"},
	"maps.Keys":      {"slices.Sorted", "slices.SortedFunc", "maps.Collect"},
	"maps.Values":    {"slices.Sorted"},
	"maps.All":       {"maps.Collect", "maps.Insert"},
}

// Statements that need more than one task at a time, or a choice the seed does not make.
const (
	insteadOfGo      = "use env.Tasks.Go: tasks run one at a time, in an order that the seed decides"
	insteadOfChannel = "use env.Queue, env.Future or env.Cond"
	insteadOfSelect  = "use env.Cond: wait in a loop around all that may have happened"
	insteadOfAddress = "give the thing a name or a number: addresses differ from run to run"
	insteadOfDot     = "import it by its name, so that its uses can be seen"
)
