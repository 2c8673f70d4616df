package main

import (
	"fmt"
	"strconv"
	"time"
)

// checkReachable wants an answer of each broker, from here. That is what fails most often: a broker in a container tells name servers an
// address that only the container knows.
func checkReachable(x *examination) []finding {
	var found []finding
	remote := false
	for _, n := range x.nameServers {
		remote = remote || n.err == nil && !isLoopback(n.address)
	}
	for i := range x.brokers {
		b := &x.brokers[i]
		switch {
		case b.err != nil:
			found = append(found, finding{broken, "addresses", fmt.Sprintf("%s cannot be reached from here: %v", b.Broker, b.err),
				"if the broker runs, let brokerIP1 and listenPort be what clients can reach, and let port " + portOf(b.Address) + " through firewalls"})
		case remote && isLoopback(b.Address):
			found = append(found, finding{warning, "addresses", fmt.Sprintf("%s can only be reached from its own machine", b.Broker),
				"set brokerIP1 to an address of the machine that clients can reach, and start it again"})
		}
	}
	return orFine(found, "addresses", count(len(x.brokers), "broker")+" answered from here")
}

func portOf(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[i+1:]
		}
	}
	return address
}

// How far a clock may be off.
const (
	clockWarning = 5 * time.Second
	clockBroken  = time.Minute
)

// checkClocks compares the calendars of brokers with this machine's.
func checkClocks(x *examination) []finding {
	var found []finding
	for _, b := range x.answering() {
		if b.clockErr != nil {
			found = append(found, finding{skipped, "clocks", fmt.Sprintf("%s: %v", b.Broker, b.clockErr), ""})
			continue
		}
		off, side := b.clock.Ahead, "ahead of"
		if off < 0 {
			off, side = -off, "behind"
		}
		if sure := off - b.clock.Doubt; sure > clockWarning {
			f := finding{warning, "clocks", fmt.Sprintf("the clock of %s is %v %s this machine's", b.Broker, off.Round(100*time.Millisecond), side),
				"synchronise both with NTP (chrony, systemd-timesyncd): delays, retention and searches by time go by it"}
			if sure > clockBroken {
				f.level = broken
			}
			found = append(found, f)
		}
	}
	return orFine(found, "clocks", fmt.Sprintf("those of brokers and of this machine are within %v", clockWarning))
}

// checkDisks compares how full disks are with the limits that brokers have. Brokers differ in whether they write a limit as percents.
func checkDisks(x *examination) []finding {
	var found []finding
	for _, b := range x.answering() {
		used, err := strconv.ParseFloat(b.status["commitLogDiskRatio"], 64)
		if err != nil {
			continue
		}
		refuse, expire := b.ratio("diskSpaceWarningLevelRatio", 0.90), b.ratio("diskMaxUsedSpaceRatio", 0.75)
		what := fmt.Sprintf("the disk of %s is %.0f%% full", b.Broker, 100*used)
		switch {
		case used >= refuse:
			found = append(found, finding{broken, "disks", fmt.Sprintf("%s: from %.0f%% on it refuses messages", what, 100*refuse),
				"make room, let messages expire sooner (fileReservedTime, reserve.time), or gantry admin deleteExpiredCommitLog -b " + b.Address})
		case used >= expire:
			found = append(found, finding{warning, "disks", fmt.Sprintf("%s: from %.0f%% on it removes expired files at any hour, and refuses messages from %.0f%% on", what, 100*expire, 100*refuse),
				"make room, or let messages expire sooner (fileReservedTime, reserve.time)"})
		}
	}
	return orFine(found, "disks", "there is room")
}

// ratio is a setting that is written as 75 or as 0.75.
func (b *brokerFacts) ratio(key string, otherwise float64) float64 {
	value, err := strconv.ParseFloat(b.config[key], 64)
	switch {
	case err != nil || value <= 0:
		return otherwise
	case value > 1:
		return value / 100
	}
	return value
}

// checkHealth looks at what brokers themselves say is wrong.
func checkHealth(x *examination) []finding {
	var found []finding
	for _, b := range x.answering() {
		if b.status["brokerActive"] == "false" && b.IsMaster() {
			found = append(found, finding{broken, "health", fmt.Sprintf("%s says that it is not active", b.Broker), "look at its log for errors of its disk, and start it again"})
		}
		if n, _ := strconv.Atoi(b.status["subscriptionConflicts"]); n > 0 {
			found = append(found, finding{warning, "health", fmt.Sprintf("%s sees %s between what members of one group subscribe", b.Broker, count(n, "difference")),
				"all members of a group must subscribe the same; see who differs with consumerStatus -g"})
		}
	}
	return orFine(found, "health", "brokers say that they are well")
}
