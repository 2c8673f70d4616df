package acceptance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/internal/promtest"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const deployment = "../../../deploy"

// targetLabels are those that Prometheus adds to whatever it scrapes; up is what it tells of each target by itself.
var targetLabels = []string{"instance", "job"}

// named is an expression and where it stands.
type named struct{ where, expression string }

// rules are the part of a file of rules that is of interest here.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	file, err := os.Open(filepath.Join(deployment, name))
	require.NoError(t, err)
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	require.NoError(t, decoder.Decode(into))
}

// A process that has done a bit of everything tells all that the files of deploy speak of.
func TestEndToEndAlertsAndBoardsSpeakOfWhatThereIs(t *testing.T) {
	endToEnd(t)
	w, c := watchedStandalone(t)
	doABitOfEverything(t, w, c)
	scrape := w.scrape(t).And(copiesScrape(t, c)).And(controllerScrape(t, c))
	t.Run("alerts", func(t *testing.T) { checkAlerts(t, scrape) })
	t.Run("board", func(t *testing.T) { checkBoard(t, scrape) })
	t.Run("page", func(t *testing.T) { checkPage(t, scrape) })
	stop(t, w.Process)
}

// copiesScrape is what a master with a slave and this slave tell.
func copiesScrape(t *testing.T, c *cluster) *promtest.Scrape {
	t.Helper()
	start := func(directory string, more ...string) watched {
		options := processtest.BrokerOptions("broker-b", c.names, filepath.Join(c.directory, directory), "0", slices.Concat(watchedOptions, more)...)
		return watch(t, append([]string{"broker"}, options...)...)
	}
	master := start("master", "--haListenPort", "-1")
	slave := start("slave", "--brokerRole", "SLAVE", "--brokerId", "1")
	master.shows(t, 1, "gantry_replication_copies_in_sync")
	slave.shows(t, 1, "gantry_replication_following")
	return master.scrape(t).And(slave.scrape(t))
}

// controllerScrape is what a controller tells that has elected a master.
func controllerScrape(t *testing.T, c *cluster) *promtest.Scrape {
	t.Helper()
	address := freeAddresses(t, 1)[0]
	controller := watch(t, append([]string{"controller", "--bindAddress", processtest.Loopback, "--controllerDLegerPeers", "n0-" + address,
		"--controllerDLegerSelfId", "n0", "--controllerStorePath", filepath.Join(c.directory, "controller")}, watchedOptions...)...)
	controller.shows(t, 1, "gantry_controller_leads")
	listen := freeAddresses(t, 2)
	port := func(i int) string { return listen[i][strings.LastIndexByte(listen[i], ':')+1:] }
	broker := watch(t, append([]string{"broker"}, processtest.BrokerOptions("broker-c", c.names, filepath.Join(c.directory, "elected"), port(0), slices.Concat(watchedOptions,
		[]string{"--haListenPort", port(1), "--enableControllerMode", "true", "--controllerAddr", address})...)...)...)
	controller.shows(t, 1, "gantry_controller_groups")
	soon(t, func() bool { return slices.Contains(controller.scrape(t).Names(), "gantry_controller_elections_total") }, "no master was elected")
	return controller.scrape(t).And(broker.scrape(t))
}

// doABitOfEverything sends, commits, consumes, fails, and waits for a dead letter.
func doABitOfEverything(t *testing.T, w watched, c *cluster) {
	t.Helper()
	const topic, group = "orders", "billing"
	c.tool(t, "updateTopic", "-c", "DefaultCluster", "-t", topic, "-r", "1", "-w", "1")
	c.tool(t, "updateSubGroup", "-c", "DefaultCluster", "-g", group)
	p := c.producer(t)
	sendNumbered(t, p, topic, 2)
	send(t, p, client.NewMessage(topic, []byte("later"), client.DelayLevel(1)))
	timed := client.NewMessage(topic, []byte("much later"))
	timed.Properties.Set("TIMER_DELAY_SEC", "3600")
	send(t, p, timed)
	_, err := p.Transaction(background, client.NewMessage(topic, []byte("paid")), func(*client.Tx) error { return nil })
	require.NoError(t, err)
	c.consumeWith(t, group, topic, func(*client.Received) error { return client.RetryAfter(1) }, client.WithMaxRedeliveries(1))
	w.shows(t, 4, "gantry_dead_letters_total")
	w.shows(t, 1, "gantry_consumer_members", "consumer_group", group)
	// How far behind groups are is found out now and then.
	soon(t, func() bool {
		_, found := w.scrape(t).Sum("rocketmq_consumer_lag_messages", "is_retry", "true")
		return found > 0
	}, "nothing tells how many redeliveries wait")
}

// checkAlerts requires that each alert can fire, and says what to do.
func checkAlerts(t *testing.T, scrape *promtest.Scrape) {
	var all rules
	readYAML(t, "alerts.yml", &all)
	seen := map[string]bool{}
	for _, group := range all.Groups {
		for _, rule := range group.Rules {
			require.False(t, seen[rule.Alert], rule.Alert)
			seen[rule.Alert] = true
			require.Contains(t, []string{"critical", "warning", "info"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.Regexp(t, `\.$`, rule.Annotations["description"], rule.Alert)
			if rule.For != "" {
				require.Regexp(t, `^[0-9]+[smh]$`, rule.For, rule.Alert)
			}
			e := check(t, scrape, named{rule.Alert, rule.Expr})
			for _, text := range rule.Annotations {
				checkTemplate(t, scrape, rule.Alert, text, e)
			}
		}
	}
	require.Greater(t, len(seen), 20)
}

// checkTemplate requires that a text speaks only of labels that the result of its expression may have.
func checkTemplate(t *testing.T, scrape *promtest.Scrape, where, text string, e *promtest.Expression) {
	t.Helper()
	known := append(slices.Clone(targetLabels), e.Labels...)
	for _, s := range e.Selectors {
		known = append(known, scrape.Labels(s.Metric)...)
	}
	for _, found := range regexp.MustCompile(`\{\{(.*?)\}\}`).FindAllStringSubmatch(text, -1) {
		label, isLabel := strings.CutPrefix(strings.TrimSpace(found[1]), "$labels.")
		if !isLabel {
			require.Regexp(t, `^ \$value( \| humanizePercentage)? $`, found[1], where)
			continue
		}
		require.Contains(t, known, label, where)
	}
}

// check requires that an expression can be read, and that all it names is there.
func check(t *testing.T, scrape *promtest.Scrape, n named) *promtest.Expression {
	t.Helper()
	e, err := promtest.Parse(n.expression)
	require.NoError(t, err, n.where)
	known := slices.Clone(targetLabels)
	for _, s := range e.Selectors {
		labels := append(scrape.Labels(s.Metric), targetLabels...)
		require.True(t, len(labels) > len(targetLabels) || s.Metric == "up", "%s: there is no metric %s", n.where, s.Metric)
		for _, m := range s.Matchers {
			require.Contains(t, labels, m.Label, "%s: %s", n.where, s.Metric)
			requireMatch(t, scrape, n.where, s.Metric, m)
		}
		known = append(known, labels...)
	}
	for _, label := range e.Labels {
		require.Contains(t, known, label, n.where)
	}
	return e
}

// requireMatch requires that a condition can be met. Those of boards are met by all.
func requireMatch(t *testing.T, scrape *promtest.Scrape, where, metric string, m promtest.Matcher) {
	t.Helper()
	if m.Operator != "=" || slices.Contains(targetLabels, m.Label) {
		return
	}
	_, found := scrape.Sum(metric, m.Label, m.Value)
	require.Positive(t, found, "%s: no series of %s has %s=%q", where, metric, m.Label, m.Value)
}

// checkBoard requires that each panel shows something.
func checkBoard(t *testing.T, scrape *promtest.Scrape) {
	text, err := os.ReadFile(filepath.Join(deployment, "grafana-board.json"))
	require.NoError(t, err)
	var board struct {
		Panels []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr, LegendFormat string }
			GridPos     struct{ X, Y, W, H int }
			FieldConfig struct{ Defaults struct{ Unit string } }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &board))
	// What Grafana puts in the place of variables.
	here := strings.NewReplacer("$__rate_interval", "1m", "$cluster", ".*", "$node", ".*")
	var rows []string
	ids := map[int]bool{}
	for _, p := range board.Panels {
		require.False(t, ids[p.ID], "panel %d is there twice", p.ID)
		ids[p.ID] = true
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		require.NotEmpty(t, p.Targets, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for _, target := range p.Targets {
			check(t, scrape, named{p.Title, here.Replace(target.Expr)})
		}
	}
	require.Equal(t, []string{"Overview", "Send", "Consume", "Storage", "Copies and controllers", "Delay and retry", "Transactions", "Runtime"}, rows)
	for _, v := range board.Templating.List {
		if v.Type != "query" {
			continue
		}
		query := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		require.Len(t, query, 3, v.Name)
		require.Contains(t, scrape.Labels(query[1]), query[2], v.Name)
	}
}

// rarely are metrics that such a process does not tell of: what they count has not happened.
var rarely = []string{"gantry_filter_failures_total"}

// checkPage requires that METRICS.md lists what there is, and nothing else, with its labels.
func checkPage(t *testing.T, scrape *promtest.Scrape) {
	page, err := os.ReadFile("../METRICS.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| \\w* \\| ([\\w, ]*) \\|")
	for _, found := range row.FindAllStringSubmatch(string(page), -1) {
		name := found[1]
		listed[name] = true
		if found[2] == "histogram" {
			name += "_count"
			listed[name], listed[found[1]+"_sum"], listed[found[1]+"_bucket"] = true, true, true
		}
		if slices.Contains(rarely, name) {
			continue
		}
		labels := scrape.Labels(name)
		require.NotEmpty(t, labels, "%s is listed, and nobody tells it", name)
		for label := range strings.SplitSeq(found[3], ", ") {
			require.True(t, label == "" || slices.Contains(labels, label), "%s has no label %s", name, label)
		}
	}
	for _, name := range scrape.Names() {
		ours := strings.HasPrefix(name, "gantry_") || strings.HasPrefix(name, "rocketmq_")
		require.True(t, !ours || listed[name], "%s is not listed in METRICS.md", name)
	}
}

func TestEndToEndPrometheusIsToldWhereProcessesAre(t *testing.T) {
	endToEnd(t)
	var config struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus.yml", &config)
	for _, file := range config.RuleFiles {
		require.FileExists(t, filepath.Join(deployment, file))
	}
	require.Len(t, config.ScrapeConfigs, 1)
	require.Equal(t, "gantry", config.ScrapeConfigs[0].JobName, "alerts and the board ask for it")
	var ports []string
	for _, node := range []string{"broker", "namesrv"} {
		code, text := gantry(t, node, "-p")
		require.Zero(t, code, text)
		host := regexp.MustCompile(`(?m)^metricsPromExporterHost=(.*)$`).FindStringSubmatch(text)
		port := regexp.MustCompile(`(?m)^metricsPromExporterPort=(.*)$`).FindStringSubmatch(text)
		require.NotNil(t, port, text)
		ports = append(ports, host[1]+":"+port[1])
	}
	require.Equal(t, ports, config.ScrapeConfigs[0].StaticConfigs[0].Targets)
}
