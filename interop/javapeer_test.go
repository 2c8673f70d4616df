//go:build interop

package interop_test

import (
	"encoding/json"
	"net/url"
	"os/exec"
)

// javaPeer runs Apache's client for Java as a producer or a consumer. It puts the URL of an endpoint
// together from system properties.
func javaPeer(role, text string) *exec.Cmd {
	var s settings
	var options []string
	// Settings are written by these tests, so they can be read.
	_ = json.Unmarshal([]byte(text), &s)
	if endpoint, err := url.Parse(s.Endpoint); err == nil && s.Endpoint != "" {
		options = append(options, "-Drocketmq.namesrv.domain="+endpoint.Host)
	}
	return javaClient.command(append(options, "interop.Main", role, text)...)
}
