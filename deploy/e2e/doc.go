// Package e2e tests the whole line, from a provider's webhook to the completion, with scripts:
// testdata/*.txtar. Each script is one story, and runs in a deployment of its own.
//
// A script knows only what a program outside the deployment knows: the address for webhooks, the
// address of the fake providers and of their control API, and the address of NATS. The interface
// stack (stack_test.go) hides how a deployment starts, stops and starts parts, and shows logs and
// metrics. TestScripts runs the scripts in a single process. A deployment of another kind needs
// another stack, and a test that passes the stack to runScripts.
//
// # Containers
//
// With the build tag containers, TestScriptsAgainstContainers runs the same scripts against the
// images (make images) and a NATS container. The containers are the services of docker-compose.yml,
// read with compose-go and with .env. Each script has its own containers, network and volume. The
// variables of a script are the variables of docker-compose.yml. Published ports are free ports of
// the loopback interface. A service with a setting unknown to the tests is an error. The tests need
// a Docker engine on the machine and share no port, name or volume with a running deployment.
//
// The other TestContainers tests do what needs containers while webhooks come: they kill the
// broker, cut a node off, scale a worker, replace ingress, and make all containers again on the
// same volume. Every test counts completions at the end.
//
//	make test/containers TESTFLAGS='-run Containers/straight -v'
//
// make test runs some of the scripts against containers, because a script takes half a minute
// there. make test/containers runs all of them.
//
// The tests remove everything at the end, also after a failure or an interrupt. After a kill, the
// leftovers have the label org.testcontainers=true.
//
// # Floods
//
// TestGenuineWebhooksPassEveryFlood attacks the ingress binary in every way of package
// deploy/flood, and sends genuine webhooks meanwhile. make test sends a few webhooks beside each
// attack. make test/flood sends hundreds, and checks the time of 99 in 100 answers too:
//
//	make test/flood TESTFLAGS='-run EveryFlood/slow'
//
// # Budgets
//
// TestOneBudgetForAllProcesses starts worker processes and an API that counts calls, and disturbs
// them. In no second may more calls arrive than the rate of the provider and its burst. While there
// is work, the processes must use the rate, less the time in which the broker did not answer: a
// control asks the same broker all the time. A second in which the machine stalled does not count.
// make test counts for 20 seconds in most rows.
// make test/budget counts for a minute in each, and prints their figures. A row alone:
//
//	make test/budget TESTFLAGS='-run OneBudget/clocks'
//
// # What must not be told
//
// TestWhatTruvAnswersIsToldToNobodyElse has an API of its own. The API answers with social security
// numbers, account numbers and access tokens, in records and in every kind of failure. The test
// looks for them wherever an operator or a team looks. canaries_test.go looks into the files of a
// broker, and with the build tag canaries into those of a cluster.
//
// # Commands
//
// The commands below are in addition to the commands of
// [github.com/rogpeppe/go-internal/testscript]. The scripts use stdout and cmp of that package.
// stop, skip and wait of that package have nothing to do with deployments. After a command with
// output, a script has stdout '<regular expression>'.
//
//	up [VARIABLE=VALUE ...]
//		starts a deployment with variables of its processes, such as RETRY_LADDER=50ms,50ms.
//	nats stops|starts
//	worker RESOURCE stops|starts
//		stops a part as an operator does, or starts the part again.
//	stream events|completions full|roomy|anew
//		limits a stream to its present messages, or removes the limit, or deletes the stream
//		with its queues and makes them again.
//
//	person [paystubs=N] [earlier_paystubs=N] [shifts=N] [end_user_id=ID]
//		makes a person with a payroll account and sets $ACCOUNT, $END_USER and $LINK. $PROFILE,
//		$EMPLOYMENT and $EARLIER, the employment before, are at Truv. The count of calls starts
//		again at 0.
//	play [times=N] [shuffled]
//		sends the webhooks about the newest person's account, in the order of life or in any
//		order. Every answer must be 200. Prints the number of webhooks and of types.
//	send TYPE [id=ID] [provider=P] [account=ID] [outcome=O] [error_code=C] [error_type=T]
//	          [added=ID,ID] [deleted=ID,ID] [monitoring_status=S] [task_status=S] [product=P]
//	          [object_id=ID] [employment_id=ID] [objects_count=N] [refresh] [times=N]
//	          [bad_signature] [old_timestamp=D] [status=N]
//		sends a signed webhook about the newest person. The answer must be 200, or the status.
//		added=all announces every record of the resource that the API serves.
//		Prints the webhook and the answer. A second send with the same id is the same
//		webhook only if nothing else in the body changed; for the same bytes, use times=N or raw.
//	raw PROVIDER FILE [status=N] [latin1]
//		signs and sends the text of a file, with $ACCOUNT, $END_USER and $LINK replaced. With
//		latin1, every character above ASCII is one byte, which is not UTF-8. Prints the answer.
//	lose TYPE [id=ID]
//		makes a webhook about the newest person that reaches nobody.
//	backfill PROVIDER
//		brings back lost webhooks, as `wagewire backfill` does. Prints verdict, type and reason
//		of each.
//	fault KEY=VALUE ...
//		makes the APIs misbehave; package fake explains the keys. retry_after=date:2s is an HTTP
//		date.
//	clear
//		removes all faults.
//	calls PATH N
//		waits until the APIs were called N times at paths with the suffix PATH. More calls fail.
//
//	await ID [RESOURCE] OUTCOME [after=D] [account=ID]
//		waits for the event's completion. The completion must be valid by its schema and have the
//		outcome. With after, its time must be at least D after the webhook. An event that names a
//		person has a completion for each account: account says which. Prints the completion.
//	none ID [RESOURCE]
//		waits until all queues are idle. The event must have no completion.
//	waiting RESOURCE|QUEUE CLASS N
//		waits until N events of the resource's queue wait for their next try after a failure of
//		the class. Prints a line for each: id, class, status, endpoint, step/steps.
//	retry RESOURCE|QUEUE
//		ends the wait of these events, as `wagewire retry` does. At least one must wait.
//	retried RESOURCE|QUEUE
//		waits until the resource's queue has delivered an event again after a wait.
//	idle
//		waits until no queue has an event to deliver, none is in hand, and none waits.
//	verbatim ID [RESOURCE] N
//		the event's completion must have N records with different ids, each byte for byte as the
//		API serves the record.
//	count completions|tombstones|events|waiting|dead_letters|quarantine|records N
//		N messages must be stored. Prints subject, headers and body of each. waiting counts
//		waiting events and their retries.
//
//	state PROVIDER STATUS
//		waits until the newest person's account at the provider has the status. Prints the state.
//	changes PROVIDER STATUS N
//		waits until N states of the account were published that change the status to STATUS.
//	wagewire ARGUMENT ...
//		runs the command of operators against the deployment.
//	redrive ID [QUEUE]
//		sends the stored event again, as wagewire dead redrive does.
//
//	every-id
//		every id that an event announced as added must be once in the records of the completion,
//		or once in its missing ids.
//	once
//		no event may have two completions of a resource. Every webhook answered 200 must have all
//		completions, unless the account is erased. The state of every account must be what its
//		stored completions make together. Prints the sums.
//	no-canaries
//		logs at level debug, metrics, and the subjects and headers of all stored messages must
//		hold no personal data.
//
// Every state of an account that is published while a script runs must be valid by its schema.
//
// A command that waits has no time limit of its own: it ends shortly before the time limit of the
// test binary.
package e2e
