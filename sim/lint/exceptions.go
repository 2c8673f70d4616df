package lint

// Everything that is allowed although a rule forbids it stands in this file,
// each with its reason. The lists may only shrink: a row that is no longer
// needed is a finding of its own.

// worlds are the packages that are not deterministic, and need not be.
var worlds = []exception{
	{"node/env/osenv", "everything", "it is the real machine: the one place that calls the operating system"},
	{"cmd/...", "everything", "commands choose a world, read flags and print"},
	{"interop/...", "everything", "runs real processes of other people's clients"},
	{"internal/processtest", "everything", "runs the binary and other programs as processes of tests"},
	{"sim/lint", "everything", "reads source files and runs the go command; no node is near"},
}

// exceptions are single uses that a deterministic package is allowed.
var exceptions = []exception{
	{"sim", "iter.Pull", "the kernel's tasks are coroutines, resumed in an order drawn from the seed"},
	{"sim", "runtime/debug", "a task that panics is reported with its stack, which never reaches the trace"},
	{".", "os", "the facade for applications reads NAMESRV_ADDR"},
	{".", "net", "the facade bounds how long it connects to an address server"},
	{".", "net/http", "the facade asks an address server for name servers, off the baton"},
	{"transport/wire", "unsafe", "shows bytes as a string for the length of one call; a copy costs an allocation for each field of a reply"},
	{"node/env/envtest", "context.WithCancel", "plays the application that cancels a visit through the Door"},
}

// longFunctions gives the length of each function of more than maxFunction lines, by "file: name".
var longFunctions = map[string]int{}

// longFiles gives the length of each file of more than maxFile lines.
var longFiles = map[string]int{}
