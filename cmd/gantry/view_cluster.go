package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
)

// clusterView is the answer of clusterList.
type clusterView struct {
	Brokers   []clusterEntry `json:"brokers"`
	moreStats bool
}

// clusterEntry is one broker process. Status is nil if it did not answer.
type clusterEntry struct {
	Cluster string            `json:"cluster"`
	Broker  string            `json:"broker"`
	ID      int64             `json:"id"` // 0 is the master
	Address string            `json:"address"`
	Status  map[string]string `json:"status,omitempty"` // as the broker tells it
	Error   string            `json:"error,omitempty"`  // why there is no status
}

// newClusterView lists the brokers of one cluster, or of all if it is "". Both lists of the
// body are ordered by name.
func newClusterView(info *proto.ClusterInfo, cluster string) *clusterView {
	v := &clusterView{Brokers: []clusterEntry{}}
	brokers := map[string]proto.BrokerRoute{}
	for _, broker := range info.Brokers {
		brokers[broker.BrokerName] = broker
	}
	for _, one := range info.Clusters {
		if cluster != "" && one.Name != cluster {
			continue
		}
		for _, name := range one.BrokerNames {
			for _, address := range brokers[name].Addresses {
				v.Brokers = append(v.Brokers, clusterEntry{Cluster: one.Name, Broker: name, ID: address.ID, Address: address.Address})
			}
		}
	}
	return v
}

// write keeps columns narrow, so that nothing but names and addresses is wrapped on a usual terminal.
func (v *clusterView) write(out io.Writer, width int) error {
	titles := []string{"Cluster", "Broker", ">ID", "Role", "Address", "Version", ">In/s", ">Out/s", ">Disk", ">Up"}
	if v.moreStats {
		titles = append(titles, ">Stored", ">Delivered", ">Connections", ">Topics", ">Groups")
	}
	t := table.Table{Columns: table.Columns(titles...)}
	for i := range v.Brokers {
		t.Add(v.Brokers[i].cells(v.moreStats)...)
	}
	return t.Write(out, width)
}

// cells are those of one row. The keys of the status are the protocol's; brokers of other
// makers leave some out.
func (e *clusterEntry) cells(moreStats bool) []string {
	cells := []string{e.Cluster, e.Broker, number(e.ID), e.role(), e.Address}
	if e.Error != "" {
		return append(cells, "no answer")
	}
	cells = append(cells, orDash(e.Status["brokerVersionDesc"]), firstRate(e.Status["putTps"]), firstRate(e.Status["getTransferredTps"]), percent(e.Status["commitLogDiskRatio"]), uptime(e.Status["runtime"]))
	if moreStats {
		for _, key := range []string{"msgPutTotalTodayNow", "msgGetTotalTodayNow", "connections", "topics", "consumerGroups"} {
			cells = append(cells, orDash(e.Status[key]))
		}
	}
	return cells
}

// role is what the broker calls itself; only Gantry's do.
func (e *clusterEntry) role() string {
	if role := e.Status["brokerRole"]; role != "" {
		return role
	}
	if e.ID == proto.MasterID {
		return "master"
	}
	return "slave"
}

// firstRate is that of the last ten seconds, out of three. Great ones need no decimals.
func firstRate(rates string) string {
	first, _, _ := strings.Cut(rates, " ")
	value, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return "-"
	}
	if value >= 100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return decimal(value)
}

// uptime is the greater parts of [ 3 days, 4 hours, 5 minutes, 6 seconds ].
func uptime(runtime string) string {
	var days, hours, minutes, seconds int
	if _, err := fmt.Sscanf(runtime, "[ %d days, %d hours, %d minutes, %d seconds ]", &days, &hours, &minutes, &seconds); err != nil {
		return "-"
	}
	switch {
	case days >= 10:
		return fmt.Sprintf("%dd", days)
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	}
	return fmt.Sprintf("%dm%ds", minutes, seconds)
}

// percent shows a ratio such as 0.4213.
func percent(ratio string) string {
	value, err := strconv.ParseFloat(ratio, 64)
	if err != nil {
		return "-"
	}
	return strconv.FormatFloat(100*value, 'f', 0, 64) + "%"
}
