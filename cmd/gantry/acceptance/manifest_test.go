package acceptance_test

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestEndToEndManifestsAreWhatTheBinaryTakes(t *testing.T) {
	endToEnd(t)
	for _, name := range layoutFiles(t, "kubernetes/*.yaml") {
		all := documents[manifest](t, name)
		servers, controllers := map[string]bool{}, map[string]bool{}
		for i := range all {
			if s := &all[i]; s.Kind == "StatefulSet" && s.Spec.Template.Spec.Containers[0].Args[0] == "namesrv" {
				for pod := range s.Spec.Replicas {
					host := s.Metadata.Name + "-" + itoa(pod) + "." + s.Spec.ServiceName
					servers[host+":9876"], controllers[host+":9878"] = true, true
				}
			}
		}
		kinds := map[string]int{}
		for i := range all {
			m := &all[i]
			kinds[m.Kind]++
			if m.Kind == "StatefulSet" {
				checkPods(t, name, m, all, servers, controllers)
			} else {
				checkSelection(t, name, m, all)
			}
		}
		require.GreaterOrEqual(t, kinds["StatefulSet"], 2, name)
		require.Equal(t, 2, kinds["PodDisruptionBudget"], "%s: one of name servers, one of the group", name)
	}
}

// checkPods checks a StatefulSet.
func checkPods(t *testing.T, name string, m *manifest, all []manifest, servers, controllers map[string]bool) {
	t.Helper()
	require.True(t, m.selects().match(m.Spec.Template.Metadata.Labels), "%s %s selects its own pods", name, m.Metadata.Name)
	require.True(t, slices.ContainsFunc(all, func(s manifest) bool {
		return s.Kind == "Service" && s.Metadata.Name == m.Spec.ServiceName && s.selects().match(m.Spec.Template.Metadata.Labels)
	}),
		"%s %s: its service exists, and has its pods", name, m.Metadata.Name)
	require.Len(t, m.Spec.Template.Spec.Containers, 1)
	c := m.Spec.Template.Spec.Containers[0]
	n := nodeOf{where: name + " " + m.Metadata.Name, args: c.Args, ports: map[string]int{}, servers: servers, controllers: controllers, probes: []probe{c.Liveness.HTTPGet, c.Readiness.HTTPGet}}
	require.Equal(t, []string{"/healthz", "/readyz"}, []string{n.probes[0].Path, n.probes[1].Path}, "%s: what is not well is started again, what is not ready gets no requests", n.where)
	for _, p := range c.Ports {
		n.ports[p.Name] = p.ContainerPort
	}
	for _, v := range c.VolumeMounts {
		require.True(t, slices.ContainsFunc(m.Spec.Claims, func(claim struct{ Metadata struct{ Name string } }) bool { return claim.Metadata.Name == v.Name }), n.where)
		n.mounts = append(n.mounts, v.MountPath)
	}
	n.check(t)
	if m.Spec.Template.Spec.Containers[0].Args[0] == "broker" && !slices.Contains(n.args, "--enableControllerMode") {
		require.Equal(t, 1, m.Spec.Replicas, "%s: each broker has an id of its own", n.where)
	}
}

// checkSelection checks what is about pods: that there are such, and that they have the ports.
func checkSelection(t *testing.T, name string, m *manifest, all []manifest) {
	t.Helper()
	found := false
	for i := range all {
		pods := &all[i]
		if pods.Kind != "StatefulSet" || !m.selects().match(pods.Spec.Template.Metadata.Labels) {
			continue
		}
		found = true
		ports := map[string]int{}
		for _, p := range pods.Spec.Template.Spec.Containers[0].Ports {
			ports[p.Name] = p.ContainerPort
		}
		for _, p := range m.Spec.Ports {
			require.Equal(t, p.Port, ports[p.TargetPort], "%s %s %s", name, m.Kind, m.Metadata.Name)
		}
		for _, rule := range m.Spec.Ingress {
			for _, p := range rule.Ports {
				if text, named := p.Port.(string); named {
					require.Contains(t, ports, text, "%s %s", name, m.Kind)
				}
			}
		}
	}
	require.True(t, found, "%s: %s %s is about no pods", name, m.Kind, m.Metadata.Name)
}

// What the manifests ask the processes, those answer: the arguments of the single layout, with other ports and directories.
func TestEndToEndTheSingleLayoutRunsAndItsProbesAreAnswered(t *testing.T) {
	endToEnd(t)
	var names string
	for _, m := range documents[manifest](t, "kubernetes/single.yaml") {
		if m.Kind != "StatefulSet" {
			continue
		}
		c := m.Spec.Template.Spec.Containers[0]
		at := freeAddress(t)
		_, watched, err := net.SplitHostPort(at)
		require.NoError(t, err)
		args := slices.Clone(c.Args)
		for i := range args {
			if args[i] == "$(ADDRESS)" {
				args[i] = processtest.Loopback
			}
		}
		// The last one of a flag counts.
		args = append(args, "--bindAddress", processtest.Loopback, "--listenPort", "0", "--metricsPromExporterHost", processtest.Loopback, "--metricsPromExporterPort", watched)
		if args[0] == "namesrv" {
			args = append(args, "--kvConfigPath", filepath.Join(t.TempDir(), "kv.json"))
		} else {
			args = append(args, "--namesrvAddr", names, "--storePathRootDir", filepath.Join(t.TempDir(), "store"))
		}
		command, err := built.Command(t.TempDir(), "gantry", args...)
		require.NoError(t, err)
		p := processtest.Launch(t, command)
		if args[0] == "namesrv" {
			names, err = p.Says(processtest.NameServerStarted)
		} else {
			_, err = p.Says(processtest.BrokerStarted("broker-a"))
		}
		require.NoError(t, err)
		for _, asked := range []probe{c.Liveness.HTTPGet, c.Readiness.HTTPGet} {
			soon(t, func() bool { code, _, err := tryGet("http://" + at + asked.Path); return err == nil && code == 200 }, "%s is not answered", asked.Path)
		}
	}
}
