package config

// Access is what can be set of who may do what. Whether the keys go together is found by the node.
type Access struct {
	Authentication          bool   `key:"authenticationEnabled" default:"false" important:"yes" doc:"take requests only if a user has signed them"`
	Authorization           bool   `key:"authorizationEnabled" default:"false" important:"yes" doc:"let users do only what their ACLs allow; it needs authenticationEnabled=true"`
	InitialUser             string `key:"initAuthenticationUser" secret:"yes" doc:"a super user that is made if it is not there, as JSON: {\"username\":\"root\",\"password\":\"a long one\"}"`
	InnerCredentials        string `key:"innerClientAuthenticationCredentials" secret:"yes" doc:"how servers sign requests to each other, as JSON: {\"accessKey\":\"inner\",\"secretKey\":\"a long one\"}; the same at all brokers and name servers, which make it a super user if it is not there"`
	AuthenticationWhitelist string `key:"authenticationWhitelist" doc:"numbers of request codes that need no signature, with commas between them"`
	AuthorizationWhitelist  string `key:"authorizationWhitelist" doc:"numbers of request codes that every user may send, with commas between them"`
	MigrateFromV1           bool   `key:"migrateAuthFromV1Enabled" default:"false" doc:"make users and ACLs of the accounts in plain_acl.yml and acl/*.yml at the start, unless they are there"`
	ACLEnable               bool   `key:"aclEnable" default:"false" important:"yes" doc:"let the accounts in plain_acl.yml and acl/*.yml decide (ACL 1.0), which lie in the directory config of the store, or beside the name server's files"`
}

// LoadAccess applies sources to the defaults, in their order.
func LoadAccess(sources ...Source) (Access, []string, error) {
	var a Access
	warnings, err := read(&a, accessRules, sources)
	return a, warnings, err
}

// accessRules are the keys that Apache knows of access control and that are not honoured.
var accessRules = rules{
	idle: []idleKeys{
		{"userCache* aclCache* statefulAuth*", "users and ACLs are in memory: there is no cache to tune"},
	},
	promises: []promise{
		{"authenticationProvider", "org.apache.rocketmq.auth.authentication.provider.DefaultAuthenticationProvider", oneGuard},
		{"authorizationProvider", "org.apache.rocketmq.auth.authorization.provider.DefaultAuthorizationProvider", oneGuard},
		{"authenticationMetadataProvider", "org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider", oneGuard},
		{"authorizationMetadataProvider", "org.apache.rocketmq.auth.authorization.provider.LocalAuthorizationMetadataProvider", oneGuard},
		{"authenticationStrategy", "org.apache.rocketmq.auth.authentication.strategy.StatelessAuthenticationStrategy " +
			"org.apache.rocketmq.auth.authentication.strategy.StatefulAuthenticationStrategy", oneGuard},
		{"authorizationStrategy", "org.apache.rocketmq.auth.authorization.strategy.StatelessAuthorizationStrategy " +
			"org.apache.rocketmq.auth.authorization.strategy.StatefulAuthorizationStrategy", oneGuard},
	},
}

const oneGuard = "it has no plug-ins that decide who may do what: users and ACLs are its own"
