package lint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// dependency is a module, or a part of one, that was agreed upon.
type dependency struct {
	path   string   // of the module or of a package in it; covers what is below
	reason string   // why it is worth having
	users  []string // packages that may import it, TESTS for test files; none if it only comes with another
}

// everywhere is the pattern that matches every package.
const everywhere = "..."

// dependencies are all of them. A new one is a decision: add a row with the reason, and
// name the fewest packages that need it.
var dependencies = []dependency{
	{"go.uber.org/zap", "structured logs whose clock can be replaced, so that simulated logs compare byte for byte",
		[]string{everywhere}},
	{"go.uber.org/multierr", "comes with zap", nil},
	{"golang.org/x/sys", "what package os does not offer: mappings, allocation, sync of a range, locks as the JVM takes them",
		[]string{"node/env/osenv"}},
	{"github.com/klauspost/compress", "zlib as the protocol compresses bodies, faster than the standard library's, and zstd",
		[]string{"transport/message", "transport/proto", "client", "node/broker"}},
	{"github.com/pierrec/lz4/v4", "lz4 frames, one of the protocol's three compressions",
		[]string{"transport/message", "transport/proto", "client", "node/broker"}},
	{"github.com/spf13/cobra", "commands, help and completion for shells", []string{"cmd/..."}},
	{"github.com/inconshreveable/mousetrap", "comes with cobra", nil},
	{"github.com/spf13/pflag", "the flags of cobra, read one by one where a configuration key is also a flag", []string{"cmd/..."}},
	{"github.com/magiconair/properties", "Java's properties files, with all their separators and escapes", []string{"cmd/gantry/config"}},
	{"github.com/jedib0t/go-pretty/v6", "tables that wrap to the width of a terminal", []string{"cmd/gantry/table"}},
	{"github.com/mattn/go-runewidth", "comes with go-pretty", nil},
	{"github.com/rivo/uniseg", "comes with go-pretty", nil},
	{"golang.org/x/text", "comes with go-pretty and client_golang", nil},
	{"golang.org/x/term", "whether and how wide a terminal is", []string{"cmd/..."}},
	{"github.com/schollz/progressbar/v3", "progress of long work on a terminal", []string{"cmd/..."}},
	{"github.com/mitchellh/colorstring", "comes with progressbar", nil},
	{"github.com/HdrHistogram/hdrhistogram-go", "latencies to three digits over seven orders of magnitude", []string{"cmd/gantry"}},
	{"github.com/prometheus/client_golang", "the text format of Prometheus, and what the Go runtime and the process tell of themselves",
		[]string{"cmd/gantry/monitor"}},
	{"github.com/prometheus/client_model", "comes with client_golang: what that parser returns", []string{"internal/promtest"}},
	{"github.com/prometheus/common", "comes with client_golang; tests read the text format with its parser", []string{"internal/promtest"}},
	{"github.com/prometheus/procfs", "comes with client_golang", nil},
	{"github.com/beorn7/perks", "comes with client_golang", nil},
	{"github.com/cespare/xxhash/v2", "comes with client_golang", nil},
	{"github.com/munnerz/goautoneg", "comes with client_golang", nil},
	{"go.etcd.io/raft/v3", "consensus as a pure state machine, proven in etcd; the controller feeds it time, disk and messages",
		[]string{"node/controller"}},
	{"google.golang.org/protobuf", "comes with raft, whose messages it encodes, and with client_golang",
		[]string{"node/controller"}},
	{"github.com/anishathalye/porcupine", "checks recorded histories for linearizability and draws them",
		[]string{"linearizability"}},
	{"github.com/stretchr/testify/require", "assertions that end a test; testify's suites and mocks are not used",
		[]string{"TESTS", "node/env/envtest"}},
	{"github.com/stretchr/testify/assert", "assertions in tasks, whose goroutines may not end a test",
		[]string{"node/env/envtest"}},
	{"go.yaml.in/yaml/v3", "the files of accounts that RocketMQ's brokers and tools have, plain_acl.yml and tools.yml, and in tests those of Prometheus; comes with testify as well",
		[]string{"node/access", "cmd/gantry", "TESTS"}},
	{"pgregory.net/rapid", "properties and state machines with shrinking, for tests only",
		[]string{"TESTS"}},
	{"go.uber.org/goleak", "finds goroutines that outlive a test",
		[]string{"TESTS"}},
}

// Required reads the module paths out of what `go mod edit -json` prints.
func Required(output []byte) ([]string, error) {
	var file struct {
		Require []struct{ Path string }
	}
	if err := json.Unmarshal(output, &file); err != nil {
		return nil, fmt.Errorf("read what go mod edit printed: %w", err)
	}
	var paths []string
	for _, required := range file.Require {
		paths = append(paths, required.Path)
	}
	return paths, nil
}

// CheckRequired finds modules in go.mod that nobody agreed upon.
func CheckRequired(required []string, agreed []dependency) []Finding {
	var findings []Finding
	for _, path := range required {
		if !slices.ContainsFunc(agreed, func(d dependency) bool { return matches(path+"/...", d.path) }) {
			findings = append(findings, Finding{"go.mod", path + notAgreed})
		}
	}
	return inOrder(findings)
}

const notAgreed = " was not agreed upon: do without it, or add a row with the reason to sim/lint/modules.go"

// CheckDependencyUse finds imports that nobody agreed upon, or not for the package that has them.
func CheckDependencyUse(tree *Tree, agreed []dependency) []Finding {
	var findings []Finding
	for _, pkg := range tree.Packages {
		for _, file := range pkg.Files {
			for _, spec := range file.Syntax.Imports {
				if what := tree.misuse(pkg, file, importPath(spec), agreed); what != "" {
					findings = append(findings, Finding{tree.at(spec.Pos()), what})
				}
			}
		}
	}
	return inOrder(findings)
}

// misuse says what is wrong with one import, or "".
func (t *Tree) misuse(pkg *Package, file *File, imported string, agreed []dependency) string {
	if _, inside := t.relative(imported); inside || isStandard(imported) {
		return ""
	}
	at := slices.IndexFunc(agreed, func(d dependency) bool { return matches(d.path+"/...", imported) })
	if at < 0 {
		return imported + notAgreed
	}
	users := agreed[at].users
	if matchesAny(users, pkg.Path) || file.IsTest() && slices.Contains(users, "TESTS") {
		return ""
	}
	return imported + " is only for [" + strings.Join(users, ", ") + "]: see sim/lint/modules.go"
}

// isStandard reports whether a path is of the standard library: only others begin with a domain.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}
