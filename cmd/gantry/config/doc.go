// Package config reads the configuration of name servers, controllers and brokers: Apache's properties
// files, flags of the same names, and the machine's defaults.
//
// One struct for each kind of node, NameServer, Controller and Broker, says all there is to know of its
// keys, in the tags of its fields. Defaults, files, flags, checks, the lists that -p
// and -m print, help texts and the tables of CONFIG.md are all made from them.
//
// # Layers
//
// A later layer wins: defaults, then the file of encryption (tls.properties), then the file, then flags. What is then still not
// set takes the value of the machine: brokerName its host name, brokerIP1 its
// address, namesrvAddr the environment variable NAMESRV_ADDR.
//
// # Keys that are not in the structs
//
//   - Apache knows the key, and it tunes something that is not here: it is accepted, and a warning says so;
//   - Apache knows the key, and an operator would rely on its effect, which is not here: only
//     values that do not ask for it are accepted;
//   - nobody knows the key: it is refused, and the nearest key is named.
//
// All mistakes are reported at once. The package keeps no state; only ReadFile and TLSFile touch the machine.
//
// # Files
//
//	field.go          one key: its tags, its value as text
//	source.go         files and flags as layers
//	load.go           layers applied to a struct
//	broker.go         the keys of a broker
//	copies.go         of them, those of masters and slaves
//	broker_rules.go   Apache's other keys of a broker
//	name_server.go    the keys of a name server, and Apache's others
//	controller.go     the keys of a controller, and Apache's others
//	tls.go            the keys of encryption, of nodes and tools
//	metrics.go        the keys of the port by which a process is watched
//	address.go        lists of name servers
//	hours.go          lists of hours
//	print.go          the keys as a file and as help
//	document.go       the keys as CONFIG.md
package config
