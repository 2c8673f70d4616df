package acceptance_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// nodeOf is a process of a layout: what is run, where it keeps its files, and at which ports others look for it.
type nodeOf struct {
	where  string
	args   []string
	mounts []string
	ports  map[string]int // by name; those without one by their number
	probes []probe
	// servers and controllers are host:port of all name servers that its layout has, and of the controllers within them.
	servers, controllers map[string]bool
}

type probe struct{ Path, Port string }

// settings are what the binary makes of the arguments: it checks them all. What the surroundings put in is an address.
func (n *nodeOf) settings(t *testing.T) map[string]string {
	t.Helper()
	require.Contains(t, []string{"broker", "namesrv"}, n.args[0], n.where)
	args := []string{n.args[0], "-p"}
	for _, arg := range n.args[1:] {
		if strings.HasPrefix(arg, "${GANTRY_IP:") {
			arg = "10.0.0.7"
		}
		args = append(args, strings.NewReplacer("$(ADDRESS)", "10.0.0.7", "$(ORDINAL)", "0").Replace(arg))
	}
	code, text := gantry(t, args...)
	require.Zero(t, code, "%s: %s", n.where, text)
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[key] = value
	}
	for _, arg := range n.args[1:] {
		if key, isKey := strings.CutPrefix(arg, "--"); isKey {
			require.Contains(t, values, key, "%s: options may be shortened when they are typed, not here", n.where)
		}
	}
	return values
}

// check requires that ports, directories, name servers and probes are those of the settings.
func (n *nodeOf) check(t *testing.T) {
	t.Helper()
	s := n.settings(t)
	number := func(key string) string { return s[key] }
	listens := []string{number("listenPort"), number("metricsPromExporterPort")}
	file := s["kvConfigPath"]
	if n.args[0] == "broker" {
		require.Equal(t, "10.0.0.7", s["brokerIP1"], "%s: what clients are told depends on where it runs", n.where)
		require.NotEmpty(t, s["namesrvAddr"], n.where)
		for address := range strings.SplitSeq(s["namesrvAddr"], ";") {
			require.Contains(t, n.servers, address, "%s: no such name server", n.where)
		}
		main, err := net.LookupPort("tcp", s["listenPort"])
		require.NoError(t, err)
		listens = append(listens, s["haListenPort"], itoa(main-2))
		for address := range strings.SplitSeq(s["controllerAddr"], ";") {
			require.True(t, address == "" || n.controllers[address], "%s: no such controller: %s", n.where, address)
		}
		file = s["storePathRootDir"]
	}
	for peer := range strings.SplitSeq(s["controllerDLegerPeers"], ";") {
		id, address, _ := strings.Cut(peer, "-")
		require.True(t, peer == "" || n.controllers[address], "%s: no such controller: %s", n.where, address)
		if peer != "" && id == s["controllerDLegerSelfId"] {
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			listens = append(listens, port)
		}
	}
	require.Equal(t, "PROM", s["metricsExporterType"], n.where)
	require.Equal(t, "0.0.0.0", s["metricsPromExporterHost"], "%s: probes come from elsewhere", n.where)
	for name, port := range n.ports {
		require.Contains(t, listens, itoa(port), "%s: nobody listens at port %s", n.where, name)
	}
	require.True(t, slices.ContainsFunc(n.mounts, func(mount string) bool { return strings.HasPrefix(file, mount+"/") }), "%s: %s is on no volume", n.where, file)
	for _, p := range n.probes {
		require.Contains(t, []string{"/healthz", "/readyz"}, p.Path, n.where)
		require.Equal(t, s["metricsPromExporterPort"], itoa(n.ports[p.Port]), "%s: probes ask the port of metrics", n.where)
	}
}

// documents are those of a YAML file.
func documents[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	file, err := os.Open(filepath.Join(deployment, name))
	require.NoError(t, err)
	defer file.Close()
	for decoder := yaml.NewDecoder(file); ; {
		var one T
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err, name)
		all = append(all, one)
	}
}

func layoutFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(deployment, pattern))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 2)
	for i := range files {
		files[i], err = filepath.Rel(deployment, files[i])
		require.NoError(t, err)
	}
	return files
}

// listenPort is what the arguments of a name server say, or the usual one.
func listenPort(args []string) string {
	if i := slices.Index(args, "--listenPort"); i > 0 {
		return args[i+1]
	}
	return "9876"
}

// compose is a file of Docker Compose.
type compose struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Ports       []string
		Volumes     []string
		DependsOn   []string `yaml:"depends_on"`
		Restart     string
		Healthcheck struct{ Test []string }
	}
	Volumes map[string]struct{}
}

func TestEndToEndLayoutsOfComposeAreWhatTheBinaryTakes(t *testing.T) {
	endToEnd(t)
	for _, name := range layoutFiles(t, "compose/*.yml") {
		for _, c := range documents[compose](t, name) {
			servers, controllers := map[string]bool{}, map[string]bool{}
			for service, s := range c.Services {
				if s.Command[0] == "namesrv" {
					servers[service+":"+listenPort(s.Command)], controllers[service+":9878"] = true, true
				}
			}
			for service, s := range c.Services {
				n := nodeOf{where: name + " " + service, args: s.Command, ports: map[string]int{}, servers: servers, controllers: controllers}
				for _, published := range s.Ports {
					outside, inside, _ := strings.Cut(published, ":")
					require.Equal(t, outside, inside, "%s: clients are told the port that the broker has", n.where)
					port, err := net.LookupPort("tcp", inside)
					require.NoError(t, err)
					n.ports[inside] = port
				}
				for _, volume := range s.Volumes {
					source, mount, _ := strings.Cut(volume, ":")
					require.Contains(t, c.Volumes, source, n.where)
					n.mounts = append(n.mounts, mount)
				}
				n.check(t)
				for _, other := range s.DependsOn {
					require.Contains(t, c.Services, other, n.where)
				}
				if master, _, found := strings.Cut(n.settings(t)["haMasterAddress"], ":"); found {
					require.Contains(t, c.Services, master, n.where)
				}
				require.Equal(t, []string{"CMD", "gantry", "admin"}, s.Healthcheck.Test[:3], n.where)
				code, text := gantry(t, "admin", s.Healthcheck.Test[3], "-h")
				require.Zero(t, code, text)
				require.Contains(t, text, "gantry admin "+s.Healthcheck.Test[3]+" -n", n.where)
				require.Contains(t, s.Healthcheck.Test, "127.0.0.1:"+n.settings(t)["listenPort"], "%s: it is asked itself", n.where)
			}
		}
	}
}
