package fake

import "time"

// jobsEvery is the time between two jobs of a timeline. Recorded jobs took
// about seven seconds in all.
const jobsEvery = 500 * time.Millisecond

// Timeline makes the webhooks of an account that has just been linked, in the
// order in which they are sent, the last one stamped now. It is the recorded
// timeline of a sandbox account, with the sync thresholds added:
//
//	identity.added
//	income.added
//	paystubs.added        1   paystubs.seven_days_synced
//	shifts.added          7   shifts.seven_days_synced
//	paystubs.added        1   paystubs.thirty_days_synced
//	shifts.added         23   shifts.thirty_days_synced
//	paystubs.added        2   paystubs.ninety_days_synced
//	paystubs.added       27   paystubs.fully_synced
//	shifts.added         60   shifts.ninety_days_synced   shifts.fully_synced
//	employment.added
//	verification_reports.refreshed
//	link-connected
//	link-disconnected
//	link-deleted
//
// Each line is one job: its webhooks share payload.id and payload.timestamp.
// A threshold of 30 or 90 days that no record reaches is skipped.
func (f *Providers) Timeline(p *Person) []Webhook {
	paystubs, shifts := p.paystubChunks(), p.shiftChunks()
	lines := [][]announcement{
		only("identity.added"),
		only("income.added"),
		chunkLine("paystubs", paystubs[0]),
		chunkLine("shifts", shifts[0]),
		chunkLine("paystubs", paystubs[1]),
		chunkLine("shifts", shifts[1]),
		chunkLine("paystubs", paystubs[2]),
		chunkLine("paystubs", paystubs[3]),
		chunkLine("shifts", shifts[2]),
		only("employment.added"),
		only("verification_reports.refreshed"),
	}
	links := []string{"link-connected", "link-disconnected", "link-deleted"}

	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.now().Add(-jobsEvery * time.Duration(len(lines)+len(links)-1))
	var webhooks []Webhook
	for _, line := range lines {
		id := newUUID()
		for _, a := range line {
			webhooks = append(webhooks, job{id: id, at: at, chunk: a.chunk}.webhook(p, a.typ))
		}
		at = at.Add(jobsEvery)
	}
	for _, typ := range links {
		webhooks = append(webhooks, truvWebhook(p, typ, newHex(), at))
		at = at.Add(jobsEvery)
	}
	return webhooks
}

// An announcement is one webhook of a job.
type announcement struct {
	typ   string
	chunk chunk
}

func only(typ string) []announcement { return []announcement{{typ: typ}} }

// chunkLine tells of a chunk: its records, then the thresholds reached.
func chunkLine(resource string, c chunk) []announcement {
	var line []announcement
	if len(c.records) > 0 || c.last {
		line = append(line, announcement{resource + ".added", c})
	}
	for _, threshold := range c.synced {
		skipped := len(c.records) == 0 && (threshold == "thirty_days" || threshold == "ninety_days")
		if !skipped {
			line = append(line, announcement{resource + "." + threshold + "_synced", c})
		}
	}
	return line
}
