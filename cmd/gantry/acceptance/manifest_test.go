package acceptance_test

import (
	"maps"
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
	where := name + " " + m.Metadata.Name
	require.True(t, m.selects().match(m.labels()), "%s selects its own pods", where)
	require.True(t, slices.ContainsFunc(all, func(s manifest) bool {
		return s.Kind == "Service" && s.Metadata.Name == m.Spec.ServiceName && s.selects().match(m.labels())
	}), "%s: its service exists, and has its pods", where)
	require.Len(t, m.Spec.Template.Spec.Containers, 1)
	c := m.container()
	n := nodeOf{where: where, args: c.Args, ports: m.ports(), servers: servers, controllers: controllers, probes: []probe{c.Liveness.HTTPGet, c.Readiness.HTTPGet}}
	require.Equal(t, []string{"/healthz", "/readyz"}, []string{n.probes[0].Path, n.probes[1].Path}, "%s: what is not well is started again, what is not ready gets no requests", where)
	for _, v := range c.VolumeMounts {
		require.True(t, slices.ContainsFunc(m.Spec.Claims, func(c claim) bool { return c.Metadata.Name == v.Name }), where)
		n.mounts = append(n.mounts, v.MountPath)
	}
	for _, claim := range m.Spec.Claims {
		require.Subset(t, []string{"ReadWriteOnce", "ReadWriteOncePod"}, claim.Spec.AccessModes, "%s: a volume belongs to one pod", where)
		require.Len(t, claim.Spec.AccessModes, 1, where)
		require.Regexp(t, `^[1-9][0-9]*Gi$`, claim.Spec.Resources.Requests.Storage, where)
	}
	n.check(t)
	checkSurvival(t, where, m, all)
}

// graceOfBrokers is longer than a broker takes to hand over and to save everything; where nothing is said Kubernetes gives a process 30 s.
const graceOfBrokers = 60

// checkSurvival requires that pods get the time to stop in order, and that no machine takes two copies of anything with it.
func checkSurvival(t *testing.T, where string, m *manifest, all []manifest) {
	t.Helper()
	args := m.container().Args
	elected := slices.Contains(args, "--enableControllerMode") || slices.Contains(args, "--enableControllerInNamesrv")
	grace := m.Spec.Template.Spec.Grace
	if args[0] == "broker" {
		require.NotNil(t, grace, "%s: a broker is given the time to stop", where)
		require.True(t, elected || m.Spec.Replicas == 1, "%s: each broker has an id of its own", where)
	}
	require.True(t, grace == nil || *grace >= graceOfBrokers, "%s: too short to stop in order", where)
	require.True(t, m.Spec.Replicas == 1 || m.Spec.Management == "Parallel", "%s: who waits for others to be ready waits for itself", where)
	wanted := m.labels()
	if args[0] == "broker" {
		wanted = labels{"part": "broker", "group": m.labels()["group"]}
	}
	if _, pods := sets(all, wanted); pods == 1 || args[0] == "namesrv" && !elected {
		return
	}
	anti := m.Spec.Template.Spec.Affinity.Anti.Required
	require.Len(t, anti, 1, "%s: its pods are lost together if they share a machine", where)
	require.Equal(t, "kubernetes.io/hostname", anti[0].TopologyKey, where)
	_, pods := sets(all, wanted)
	_, apart := sets(all, anti[0].Selector.MatchLabels)
	require.Equal(t, pods, apart, "%s: all of them are kept apart, and no others", where)
}

// checkSelection checks what is about pods: that there are such, and what it says of them.
func checkSelection(t *testing.T, name string, m *manifest, all []manifest) {
	t.Helper()
	where := name + " " + m.Kind + " " + m.Metadata.Name
	about, _ := sets(all, m.selects())
	require.NotEmpty(t, about, "%s is about no pods", where)
	switch m.Kind {
	case "Service":
		checkService(t, where, m, about)
	case "PodDisruptionBudget":
		// With none nobody could empty a machine; with two a majority of three would go, or both copies.
		require.Equal(t, 1, m.Spec.MaxUnavailable, where)
		require.Nil(t, m.Spec.MinAvailable, where)
	case "NetworkPolicy":
		checkPolicy(t, where, m, about)
	default:
		require.Fail(t, "nobody checks this kind", where)
	}
}

// checkService requires that each pod has a name in DNS, also before it is ready: it becomes ready only if others find it.
func checkService(t *testing.T, where string, m *manifest, about []*manifest) {
	t.Helper()
	require.Equal(t, "None", m.Spec.ClusterIP, "%s: each pod is asked by its own name", where)
	require.Empty(t, m.Spec.Type, where)
	require.True(t, m.Spec.NotReady, "%s: pods that are not ready are found, too", where)
	require.NotEmpty(t, m.Spec.Ports, where)
	for _, set := range about {
		require.Equal(t, set.Spec.ServiceName, m.Metadata.Name, where)
		for _, p := range m.Spec.Ports {
			require.Equal(t, p.Port, set.ports()[p.TargetPort], where)
		}
	}
}

// checkPolicy requires that what may be reached is there, and that the replication port is for the pods themselves only.
func checkPolicy(t *testing.T, where string, m *manifest, about []*manifest) {
	t.Helper()
	require.Equal(t, []string{"Ingress"}, m.Spec.PolicyTypes, where)
	let := map[int]bool{} // by port; whether only the pods themselves are let in
	for _, rule := range m.Spec.Ingress {
		for _, from := range rule.From {
			require.Equal(t, m.selects(), from.PodSelector.MatchLabels, where)
		}
		for _, p := range rule.Ports {
			number, is := p.Port.(int)
			for _, set := range about {
				if text, named := p.Port.(string); named {
					number, is = set.ports()[text], true
				}
			}
			require.True(t, is && slices.ContainsFunc(about, func(set *manifest) bool { return slices.Contains(slices.Collect(maps.Values(set.ports())), number) }),
				"%s: no container has port %v", where, p.Port)
			let[number] = len(rule.From) > 0
		}
	}
	for _, set := range about {
		for name, number := range set.ports() {
			own, reached := let[number]
			require.True(t, reached, "%s: nobody is let in at port %s", where, name)
			require.Equal(t, name == "copies", own, "%s: port %s", where, name)
		}
	}
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
