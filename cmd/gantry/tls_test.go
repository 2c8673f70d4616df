package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// certificates makes, with the commands that README.md shows, an authority (ca.pem), a certificate of the server and one of a
// client, and returns their directory. The test is skipped where there is no openssl.
func certificates(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not here")
	}
	directory := t.TempDir()
	commands := readmeCommands(t)
	commands = append(commands, strings.NewReplacer("server", "client").Replace(commands[1]), strings.NewReplacer("server", "client").Replace(commands[2]))
	for _, line := range commands {
		command := exec.Command("sh", "-c", line)
		command.Dir = directory
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, output)
	}
	return directory
}

// readmeCommands are the lines of README.md that call openssl.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var commands []string
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "openssl ") {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	require.Len(t, commands, 3)
	return commands
}

// propertiesOf writes a tls.properties and returns its path.
func propertiesOf(t *testing.T, certificates string, lines ...string) string {
	t.Helper()
	text := strings.NewReplacer("DIR", certificates).Replace(strings.Join(lines, "\n"))
	path := filepath.Join(t.TempDir(), "tls.properties")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// standaloneOver runs a standalone with options of encryption until the test ends, and returns the address of its name server.
func standaloneOver(t *testing.T, options config.TLS) (names string) {
	t.Helper()
	directory := t.TempDir()
	announced, _ := inBackground(t, func(ctx context.Context, out Output) error {
		return RunStandalone(ctx, StandaloneOptions{Data: directory, Address: loopback, TLS: options}, out)
	})
	announced.waitFor(t, `self-test +1000 messages stored`)
	return announced.waitFor(t, processtest.NameServerStarted)
}

func TestToolsSpeakToAnEncryptedClusterWithCertificatesOnBothSides(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	directory := certificates(t)
	file := propertiesOf(t, directory, "tls.test.mode.enable=false", "tls.server.need.client.auth=require", "tls.server.authClient=true",
		"tls.server.certPath=DIR/server.pem", "tls.server.keyPath=DIR/server.key", "tls.server.trustCertPath=DIR/ca.pem",
		"tls.client.certPath=DIR/client.pem", "tls.client.keyPath=DIR/client.key", "tls.client.trustCertPath=DIR/ca.pem")
	sources, err := config.TLSFile(config.Source{Name: "the command line", Keys: map[string]string{"tls.config.file": file, "tls.server.mode": "enforcing"}})
	require.NoError(t, err)
	options, _, err := config.LoadTLS(sources...)
	require.NoError(t, err)
	names := standaloneOver(t, options)
	tool := func(want int, line string) string {
		t.Helper()
		code, out, errors := called(t, append([]string{"mqadmin"}, strings.Fields(line)...)...)
		require.Equal(t, want, code, "%s: %s%s", line, out, errors)
		return out + errors
	}
	tool(0, "sendMessage -n "+names+" -t secrets -p hush --tls.enable true --tls.config.file "+file)
	require.Contains(t, tool(0, "consumeMessage -n "+names+" -t secrets --tls.enable=true --tls.config.file "+file), "hush")
	require.Contains(t, tool(exitUnreachable, "clusterList -n "+names), "reset")
	require.Contains(t, tool(exitUnreachable, "clusterList -n "+names+" --tls.enable true"), "tls.client.trustCertPath")
	require.Contains(t, tool(exitUnreachable, "clusterList -n "+names+" --tls.enable true --tls.client.trustCertPath "+filepath.Join(directory, "ca.pem")), "tls.client.certPath")
	require.Contains(t, tool(exitUsage, "clusterList -n "+names+" --tls.enable true --tls.client.trustCertPath /absent.pem"), "/absent.pem")
	require.Contains(t, tool(exitUsage, "clusterList -n "+names+" --tls.enable true --tls.config.file /absent.properties"), "/absent.properties")

	code, out, errors := called(t, "gantry", "bench", "-n", names, "--messages", "50", "--queues", "1", "--tls.enable", "true", "--tls.config.file", file)
	require.Zero(t, code, out+errors)
}

func TestANodeTakesEncryptedAndPlainConnectionsUnlessStated(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	names := standaloneOver(t, config.TLS{})
	for _, encrypted := range [][]string{nil, {"--tls.enable", "true", "--tls.client.authServer", "false"}} {
		code, out, errors := called(t, append([]string{"mqadmin", "clusterList", "-n", names}, encrypted...)...)
		require.Zero(t, code, out+errors)
		require.Contains(t, out, "broker-a")
	}
}

func TestBenchStartsEncryptedNodesOfItsOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	code, out, errors := called(t, "gantry", "bench", "--messages", "100", "--tls.enable", "true")
	require.Zero(t, code, out+errors)
}

func TestANodeWithWrongCertificatesDoesNotStart(t *testing.T) {
	code, _, errors := called(t, "gantry", "namesrv", "--listenPort", "0", "--kvConfigPath", filepath.Join(t.TempDir(), "kv.json"), "--tls.server.certPath", "/absent.pem")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errors, "/absent.pem")
	require.Contains(t, errors, "to fix it: name PEM files")
}

// The port less 2 is the fast port. Taken, it keeps the broker from starting, as it does Apache's.
func TestAFastPortThatIsTakenIsExplained(t *testing.T) {
	taken, err := net.Listen("tcp", loopback+":0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port + 2
	broker := func(more ...string) (int, string) {
		code, out, errors := called(t, append([]string{"mqbroker", "--brokerName", "broker-a", "--bindAddress", loopback, "--listenPort", strconv.Itoa(port),
			"--haListenPort", "0", "--storePathRootDir", t.TempDir()}, more...)...)
		return code, out + errors
	}
	code, said := broker()
	if strings.Contains(said, "listens on "+loopback+":"+strconv.Itoa(port)) {
		t.Skip("somebody has the main port")
	}
	require.Equal(t, exitFailed, code, said)
	require.Contains(t, said, "the fast port (the main port less 2) cannot be opened")
	require.Contains(t, said, "fastListenEnable=false")
}
