package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/spf13/cobra"
)

// version says which program this is.
type version struct {
	Version  string `json:"version"`  // of the module, or "devel"
	Revision string `json:"revision"` // of the source, empty if the build did not know it
	Protocol string `json:"protocol"` // the release of RocketMQ whose protocol it speaks
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ownVersion reads what the linker wrote into the binary.
func ownVersion() version {
	v := version{
		Version: "devel", Protocol: wire.VersionName(wire.OwnVersion),
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			v.Revision = setting.Value
		}
	}
	return v
}

// String is one line.
func (v version) String() string {
	source := ""
	if v.Revision != "" {
		source = " from " + v.Revision
	}
	return fmt.Sprintf("gantry %s%s, protocol of RocketMQ %s, %s, %s", v.Version, source, v.Protocol, v.Go, v.Platform)
}

func newVersion(c *console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is",
		Example: "  gantry version\n  gantry version --json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(c.out).Encode(ownVersion())
			}
			_, err := fmt.Fprintln(c.out, ownVersion())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
