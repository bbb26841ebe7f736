package flaw

var table = []Flaw{
	{
		Name:  "ack-first",
		Does:  "ingress answers before the event is stored",
		Storm: true,
		Edits: []Edit{{
			"ingress/handler.go",
			"\tduplicate, err = s.publisher.PublishEvent(ctx, e)\n",
			"\tgo func() {\n" +
				"\t\tctx := context.WithoutCancel(ctx)\n" +
				"\t\tctx, cancel := context.WithTimeout(ctx, s.limits.PublishFor)\n" +
				"\t\tdefer cancel()\n" +
				"\t\t_, _ = s.publisher.PublishEvent(ctx, e)\n" +
				"\t}()\n",
		}},
	},
	{
		Name:  "places-first",
		Does:  "ingress gives a place in hand to webhooks that are not verified",
		Storm: true,
		Edits: []Edit{{
			"ingress/handler.go",
			"\tin, err := s.receive(w, r, got.provider)\n",
			"\tif !s.hand.take(nil) {\n\t\treturn got, errShed\n\t}\n" +
				"\tdefer s.hand.giveBack(nil)\n" +
				"\tin, err := s.receive(w, r, got.provider)\n",
		}},
	},
	{
		Name:      "no-fence",
		Does:      "the completions stream takes a second completion of an event",
		Storm:     true,
		Simulated: true,
	},
	{
		Name:      "settle-first",
		Does:      "a worker settles an event before the work",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{{
			"workers/worker.go",
			"\tjob, fetched, err := w.fetch(ctx, q, d)\n",
			"\t_ = d.Done()\n\tjob, fetched, err := w.fetch(ctx, q, d)\n",
		}},
	},
	{
		Name:      "own-holds",
		Does:      "a worker tells no other process that a provider wants no calls",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{{
			"workers/api/pace/hold.go",
			"\t\tpause, stored := p.shareOnce(ctx, until, guesses)\n",
			"\t\t_ = guesses\n\t\tpause, stored := time.Duration(0), true\n",
		}},
	},
	{
		// A random name, because in virtual time two workers may start at the same moment.
		Name:      "own-rates",
		Does:      "every process has the rate of the installation for itself",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{
			{"workers/fetch/open.go", "\t\"math\"\n", "\t\"math\"\n\t\"math/rand/v2\"\n"},
			{
				"workers/fetch/open.go",
				"of.Budget(p),",
				"of.Budget(p + schema.Provider(strconv.FormatUint(rand.Uint64(), 36))),",
			},
		},
	},
	{
		Name:      "no-tombstone",
		Does:      "a completion is stored although its account is erased",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{{
			"schema/stream/complete.go",
			"\tif outcome != schema.Deleted {\n",
			"\tif false {\n",
		}},
	},
	{
		Name:      "no-dead-letter",
		Does:      "an event that is given up has a completion and no dead letter",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{{
			"workers/worker.go",
			"\tif verdict.Kind == Never {\n\t\tif err := w.storeDeadLetter(",
			"\tif false {\n\t\tif err := w.storeDeadLetter(",
		}},
	},
	{
		Name:      "counts-deliveries",
		Does:      "a delivery without a verdict counts as a failure",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{{
			"workers/worker.go",
			"\tjob, fetched, err := w.fetch(ctx, q, d)\n",
			"\tjob, fetched, err := w.fetch(ctx, q, d)\n" +
				"\tfor range d.Deliveries - 1 {\n" +
				"\t\td.Waited.Failures = d.Waited.Failures.\n" +
				"\t\t\tWith(schema.ClassNotReady).With(schema.ClassForbidden).\n" +
				"\t\t\tWith(schema.ClassTransient).With(schema.ClassContract)\n" +
				"\t}\n",
		}},
	},
	{
		Name:      "ack-before-schedule",
		Does:      "an event that must wait is acknowledged before its schedule is stored",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{
			{
				"schema/stream/waiting.go",
				"\tif err := d.conn.publishWaiting(ctx, d, w); err != nil {\n",
				"\tif err := d.msg.DoubleAck(ctx); err != nil {\n" +
					"\t\treturn d.settled(\"later\", err)\n" +
					"\t}\n" +
					"\tif err := d.conn.publishWaiting(ctx, d, w); err != nil {\n",
			},
			{
				"schema/stream/waiting.go",
				"\treturn d.settled(\"later\", d.msg.DoubleAck(ctx))\n",
				"\treturn nil\n",
			},
		},
	},
	{
		Name:      "float",
		Does:      "records take a round trip through float64",
		Storm:     true,
		Simulated: true,
		Edits: []Edit{{
			"workers/records.go",
			"\tc.Data.Records = append(c.Data.Records, r.small...)\n",
			"\tfor _, r := range r.small {\n" +
				"\t\tvar v any\n" +
				"\t\t_ = json.Unmarshal(r, &v)\n" +
				"\t\tb, _ := json.Marshal(v)\n" +
				"\t\tc.Data.Records = append(c.Data.Records, b)\n" +
				"\t}\n",
		}},
	},
	{
		// Nobody can take turns in a hold, so the flaw leaves that out, too.
		Name:      "forgets-hold",
		Does:      "a process does not ask whether a hold stands, and its first call ends the hold",
		Simulated: true,
		Edits: []Edit{
			{
				"workers/worker.go",
				"\t\tif q.source.Pace != nil && !q.erases {\n" +
					"\t\t\tq.source.Pace.Learn(ctx) // another process may have begun a hold\n" +
					"\t\t}\n",
				"",
			},
			{
				"workers/api/pace/take.go",
				"\tif budget.Hold.Until.After(now) || lane == replay && budget.Next.After(now) {\n",
				"\tif lane == replay && budget.Next.After(now) {\n",
			},
			{
				"workers/api/pace/take.go",
				"\tif p.hasSucceeded() {\n\t\tafter.Hold.Guesses = 0\n\t}\n",
				"\tafter.Hold = schema.BudgetHold{}\n",
			},
			{
				"schema/budget.go",
				"\tif after.Next.Before(until) {\n\t\tafter.Next = until\n\t}\n",
				"",
			},
		},
	},
	{
		Name:      "forbidden-is-refused",
		Does:      "a 403 about one account counts as refused credentials",
		Simulated: true,
		Edits: []Edit{{
			"workers/pause.go",
			"\t\tif p.state.Paused || len(p.forbidden) >= ForbiddenAccountsMax {\n" +
				"\t\t\tseen = refused\n" +
				"\t\t\terr = errors.Join(errRefused, err)\n" +
				"\t\t}\n",
			"\t\tseen = refused\n" +
				"\t\terr = errors.Join(errRefused, err)\n",
		}},
	},
	{
		Name:      "newest-employment",
		Does:      "the pay statements are those of the newest employment, whichever Truv names",
		Simulated: true,
		Edits: []Edit{{
			"workers/fetch/truv_record.go",
			"t.client.Statements(ctx, linkID, job.Payload.EmploymentID)",
			"t.client.Statements(ctx, linkID, \"\")",
		}},
	},
	{
		Name:      "shows-bank-accounts",
		Does:      "Truv's reports have the numbers of bank accounts",
		Simulated: true,
		Edits: []Edit{{
			"workers/truv/cut.go",
			"bankAccounts = \"bank_accounts\"",
			"bankAccounts = \"no member\"",
		}},
	},
	{
		// A retry stays on its stream after the work, so the account's retries are left for ever.
		Name:      "erases-without-waiting",
		Does:      "an erasure leaves the account's waiting events and retries",
		Simulated: true,
		Edits: []Edit{{
			"schema/stream/erase.go",
			"\t\t{\"waiting events\", func(ctx context.Context) error {\n" +
				"\t\t\treturn c.eraseAllWaiting(ctx, p, account)\n" +
				"\t\t}},\n",
			"",
		}},
	},
	{
		Name:      "own-ladder-restarts",
		Does:      "an event that has waited begins its ladder anew",
		Simulated: true,
		Edits: []Edit{{
			"schema/stream/waiting.go",
			"\tmsg.Header.Set(headerFailures, w.Failures.String())\n",
			"",
		}},
	},
	{
		Name:      "one-wait-an-account",
		Does:      "a waiting event replaces the account's event that waited before",
		Simulated: true,
		Edits: []Edit{{
			"schema/subject.go",
			"\treturn waitingSubject(queue, e.Account(), e.token())\n",
			"\treturn waitingSubject(queue, e.Account(), \"event\")\n",
		}},
	},
	{
		Name:      "settles-before-state",
		Does:      "accounts settles a completion before its state is stored",
		Simulated: true,
		Edits: []Edit{{
			"workers/accounts.go",
			"\t\terr = a.add(ctx, t)\n",
			"\t\t_ = t.Done()\n\t\terr = a.add(ctx, t)\n",
		}},
	},
	{
		Name:      "states-overwrite",
		Does:      "accounts stores a state although another process has stored one meanwhile",
		Simulated: true,
		Edits: []Edit{{
			"schema/stream/account.go",
			"\t\tjetstream.WithExpectLastSequencePerSubject(revision))\n",
			"\t\tjetstream.WithExpectStream(schema.AccountsStream))\n",
		}},
	},
}
