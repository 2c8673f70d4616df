package main

import (
	"fmt"
	"strconv"
	"time"
)

// behindTooLong is for how long a slave that is well never lacks something.
const behindTooLong = 30 * time.Second

// checkCopies looks at how masters and slaves of Gantry's get on. Those of Apache's tell nothing of it.
func checkCopies(x *examination) []finding {
	var found []finding
	masters, slaves := 0, 0
	for _, b := range x.answering() {
		switch {
		case b.status["followsMaster"] != "":
			slaves++
			found = append(found, b.checkSlave()...)
		case b.status["copiesNeeded"] != "":
			masters++
			found = append(found, b.checkMaster()...)
		}
	}
	return orFine(found, "copies", fmt.Sprintf("%s and %s get on", count(masters, "master"), count(slaves, "slave")))
}

// isElected reports whether controllers have made a broker what it is.
func (b *brokerFacts) isElected() bool { return b.status["epoch"] != "" }

func (b *brokerFacts) checkSlave() []finding {
	look := "see why with gantry admin haStatus -b " + b.Address
	switch {
	case b.status["divergedFromMaster"] == "true":
		return []finding{{broken, "copies", fmt.Sprintf("%s does not follow: its log is not that of its master", b.Broker),
			look + "; make the slave anew with an empty directory, unless it has what the master has lost"}}
	case b.status["followsMaster"] == "false":
		return []finding{{broken, "copies", fmt.Sprintf("%s does not follow its master", b.Broker),
			"see that its master runs, that its haListenPort is not 0 and can be reached from the slave (brokerIP2, haMasterAddress, firewalls), and look at the log of the slave"}}
	}
	millis, _ := strconv.ParseInt(b.status["behindMasterMillis"], 10, 64)
	if behind := time.Duration(millis) * time.Millisecond; behind > behindTooLong {
		return []finding{{warning, "copies", fmt.Sprintf("%s is behind its master for %v, by %s bytes", b.Broker, behind.Round(time.Second), orDash(b.status["behindMasterBytes"])),
			"see its disk and its network; haFlowControlEnable and maxHaTransferByteInSecond bound what its master sends"}}
	}
	return nil
}

func (b *brokerFacts) checkMaster() []finding {
	var found []finding
	number := func(key string) int { n, _ := strconv.Atoi(b.status[key]); return n }
	have, needed := 1+number("copiesInSync"), number("copiesNeeded")
	elected := b.isElected()
	switch {
	case b.status["ready"] == "false":
		found = append(found, finding{broken, "copies", fmt.Sprintf("%s waits until enough slaves have its log, and serves nobody until then", b.Broker), "start the slaves of " + b.Name})
	case elected && have < needed:
		found = append(found, finding{broken, "copies", fmt.Sprintf("%s wants %d copies of each message, and has %d: sends wait and fail", b.Broker, needed, have),
			"start the other brokers of " + b.Name + ", and see who is in sync with gantry admin getSyncStateSet; one that stays away leaves the in-sync set if controllers are there to take it out, and fewer do if minInSyncReplicas lets them"})
	case elected && have == 1:
		found = append(found, finding{warning, "copies", fmt.Sprintf("%s is alone in sync: what it acknowledges no other broker has", b.Broker),
			"start the other brokers of " + b.Name + ", and see who is in sync with gantry admin getSyncStateSet; with minInSyncReplicas=2 it would refuse messages instead"})
	case have < needed:
		found = append(found, finding{broken, "copies", fmt.Sprintf("%s wants %d copies of each message, and has %d: sends wait and fail", b.Broker, needed, have),
			"start the slaves of " + b.Name + ", see who follows with gantry admin haStatus -b " + b.Address + ", or let fewer do (enableAutoInSyncReplicas, inSyncReplicas)"})
	}
	if n := number("copiesRefused"); n > 0 {
		found = append(found, finding{warning, "copies", fmt.Sprintf("%s has refused %s of slaves since its start", b.Broker, count(n, "connection")),
			"see why with gantry admin haStatus -b " + b.Address + "; a slave that is refused does not follow"})
	}
	return found
}
