package wire

import (
	"strconv"
	"strings"
)

// A version on the wire is an ordinal in the protocol's list of releases (enum
// MQVersion.Version). Releases are odd; the even number before is the snapshot of
// the same release. From 4.0.0 on the ordinals follow a rule, see VersionOrdinal.
const (
	firstRegularOrdinal = 213 // 4.0.0
	ordinalsPerMajor    = 200
	ordinalsPerMinor    = 20
	ordinalsPerPatch    = 2
)

// Releases at which peers behave differently, named as in MQVersion. The comment
// says what is decided there.
const (
	V3_0_7_SNAPSHOT = 28  // from here a client takes requests to reset offsets and to tell its consumer status
	V3_0_11         = 37  // from here REGISTER_BROKER has a RegisterBrokerBody
	V3_1_8_SNAPSHOT = 62  // from here a client answers GET_CONSUMER_RUNNING_INFO
	V3_4_9          = 121 // from here a request's maxReconsumeTimes overrides the group's
	V4_1_0_SNAPSHOT = firstRegularOrdinal + 1*ordinalsPerMinor - 1
	V4_9_3          = firstRegularOrdinal + 9*ordinalsPerMinor + 3*ordinalsPerPatch // up to here _UNIQUE_KEY_QUERY is not signed
	V4_9_4          = firstRegularOrdinal + 9*ordinalsPerMinor + 4*ordinalsPerPatch // from here a route is asked for in strict JSON
	V5_0_0          = firstRegularOrdinal + 1*ordinalsPerMajor                      // from here a compressed registration has mappings
	V5_1_4          = V5_0_0 + 1*ordinalsPerMinor + 4*ordinalsPerPatch              // above it a client knows GO_AWAY (servers 5.2, 5.3.0)
	V5_3_1          = V5_0_0 + 3*ordinalsPerMinor + 1*ordinalsPerPatch              // above it a client knows GO_AWAY (later servers)
	V5_3_2          = V5_0_0 + 3*ordinalsPerMinor + 2*ordinalsPerPatch
	V5_9_9          = V5_0_0 + 9*ordinalsPerMinor + 9*ordinalsPerPatch // the last with a name
	HIGHER_VERSION  = V5_9_9 + 1                                       // whatever lies beyond
)

// OwnVersion is what this implementation sends in every request and response. Java
// clients refuse SQL92 pulls below V4_1_0_SNAPSHOT and name servers answer in strict
// JSON from V4_9_4 on, so it may never be lower than those.
const OwnVersion = V5_3_2

// VersionOrdinal returns the wire number of release major.minor.patch, for majors
// from 4 on, with minor and patch each in 0..9. Earlier releases follow no rule.
func VersionOrdinal(major, minor, patch int32) int32 {
	return firstRegularOrdinal + ordinalsPerMajor*(major-4) + ordinalsPerMinor*minor + ordinalsPerPatch*patch
}

// VersionName spells a wire number for people: "5.3.2", "5.3.2-SNAPSHOT". Numbers
// outside the regular range are given as "ordinal 121".
func VersionName(ordinal int32) string {
	if ordinal < firstRegularOrdinal-1 || ordinal > V5_9_9 {
		return "ordinal " + strconv.Itoa(int(ordinal))
	}
	// Adding one maps a snapshot to its release, and leaves a release in place
	// because the division rounds down.
	steps := int(ordinal-firstRegularOrdinal+1) / ordinalsPerPatch
	name := strconv.Itoa(4+steps/100) + "." + strconv.Itoa(steps/10%10) + "." + strconv.Itoa(steps%10)
	if ordinal%2 == 0 {
		name += "-SNAPSHOT"
	}
	return name
}

// VersionDescription spells a wire number as the protocol names it: "V5_3_2", "V5_3_2_SNAPSHOT" (MQVersion.getVersionDesc). Numbers
// beyond the regular range are "HIGHER_VERSION"; those before it are given as by VersionName.
func VersionDescription(ordinal int32) string {
	switch {
	case ordinal > V5_9_9:
		return "HIGHER_VERSION"
	case ordinal < firstRegularOrdinal-1:
		return VersionName(ordinal)
	}
	return "V" + strings.NewReplacer(".", "_", "-", "_").Replace(VersionName(ordinal))
}
