// Package e2e tells the whole line, from a provider's webhook to its completion, as scripts: testdata/*.txtar, one a story,
// to be read from the top. Each runs against a deployment of its own that ends with it.
//
// A script knows what anybody outside knows: where webhooks are received, where the fake providers listen and are told what
// to do, and where NATS is. What differs between deployments stands behind one small interface, stack (stack_test.go): to
// start one, to stop and start its parts, to read its logs and metrics. TestScripts runs the scripts in one process; a
// deployment of another kind is one more stack, and one more test that hands it to runScripts.
//
// # Containers
//
// With the build tag containers, TestScriptsAgainstContainers runs the same scripts against the images (make images) and a NATS
// container: the services of docker-compose.yml as compose-go reads them, .env and all, each script with containers, a network
// and a volume of its own. A script's variables are given to docker-compose.yml, which passes them on; what is published is so at
// free ports of the loopback interface. What a service has there that these containers would not have is an error. It needs a
// Docker engine on this machine, and nothing else: no port, no name and no volume is shared with a deployment that runs here.
//
// The other TestContainers... do what takes containers, while webhooks come: the broker is killed, a node of the cluster is cut
// off, a worker is scaled, ingress is replaced, everything is made again on the same volume. Each counts at the end.
//
//	make test/containers TESTFLAGS='-run Containers/straight -v'
//
// Everything is removed at the end, also after a failure or an interrupt. What a process that was killed leaves behind has
// the label org.testcontainers=true.
//
// # Commands
//
// Besides those of [github.com/rogpeppe/go-internal/testscript], of which these scripts use stdout and cmp. Mind that its
// stop, skip and wait are not ours. A command that prints is followed by stdout '<regular expression>'.
//
//	up [VARIABLE=VALUE ...]
//		starts a deployment; the variables are those of the commands, such as RETRY_LADDER=50ms,50ms.
//	nats stops|starts
//	worker RESOURCE stops|starts
//		stops a part as an operator would, or starts it again.
//	stream events|completions full|roomy
//		gives a stream no more room than what it holds, or any.
//
//	person [paystubs=N] [shifts=N] [end_user_id=ID]
//		makes a person with a payroll account and sets $ACCOUNT, $END_USER and $LINK. Calls are counted from here.
//	play [times=N] [shuffled]
//		sends the webhooks of the newest person's account being linked, in the order of life or in none. Each must be
//		answered 200. Prints how many there were, and of how many types.
//	send TYPE [id=ID] [provider=P] [account=ID] [outcome=O] [error_code=C] [error_type=T] [added=ID,ID] [deleted=ID,ID]
//	          [times=N] [bad_signature] [old_timestamp=D] [status=N]
//		sends a signed webhook about the newest person, and expects that it is answered 200, or the status. Prints what
//		was sent and the answer. Sent again under its id, it is the same webhook only if nothing else of it changed: a
//		redelivery, byte for byte, is times=N, or raw.
//	raw PROVIDER FILE [status=N] [latin1]
//		signs a file's text and sends it as it is, but for $ACCOUNT, $END_USER and $LINK; latin1 makes each character
//		above ASCII one byte, which is not UTF-8. Prints the answer.
//	fault KEY=VALUE ...
//		makes the providers' APIs misbehave: see package provider for the keys. retry_after=date:2s is an HTTP date.
//	clear
//		ends all misbehaviour.
//	calls PATH N
//		waits until the APIs were called N times at paths that end so, and fails when there are more.
//
//	await ID [RESOURCE] OUTCOME [after=D]
//		waits for the event's completion, which must be valid by its schema, have that outcome and, with after, have
//		been made no sooner than D after the webhook came. Prints it.
//	none ID [RESOURCE]
//		waits until all queues are idle; the event must have no completion then.
//	redelivered RESOURCE
//		waits until the resource's queue has handed out an event for the second time.
//	idle
//		waits until no queue has anything waiting or in flight, or put off for later.
//	verbatim ID [RESOURCE] N
//		the event's completion has N records, no two with the same id, each byte for byte what the API serves.
//	count completions|tombstones|events|dead_letters|quarantine|records N
//		so many are stored. Prints them: subject, headers, body.
//
//	every-id
//		every id that an event announced as added is in the records of its completion, once, or among its missing ones.
//	once
//		no event has two completions of a resource, and every webhook answered 200 has all of its own, except where the
//		account is erased. Prints the sums.
//	no-canaries
//		what the parts logged, down to debug, their metrics, and the subjects and headers of all that is stored hold
//		nothing of any person's data.
//
// Waiting is asking again until it is so, for a minute at most: what is waited for is on the other side of a network.
package e2e
