package ledger

import (
	"slices"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

func TestAnEventEndsByItsOwnAnswers(t *testing.T) {
	type end struct {
		outcome schema.Outcome
		class   schema.Class
		letter  bool
	}
	for _, row := range []struct {
		name      string
		answers   []int // statuses; 0 is an answer that was cut
		forbidden bool
		end       end
		broken    bool
	}{
		{"succeeded after refused credentials and 429", []int{401, 429, 429, 401}, false,
			end{outcome: schema.Succeeded}, false},
		{"unavailable after two answers 404 took one step too many", []int{404, 404}, false,
			end{outcome: schema.Unavailable, class: schema.ClassNotReady}, true},
		{"unavailable after three answers 404", []int{404, 409, 404}, false,
			end{outcome: schema.Unavailable, class: schema.ClassNotReady}, false},
		{"unavailable after refused credentials", []int{401, 401, 401, 401}, false,
			end{outcome: schema.Unavailable, class: schema.ClassNotReady}, true},
		{"forbidden after three answers 403", []int{403, 403, 403}, true,
			end{outcome: schema.Unavailable, class: schema.ClassForbidden}, false},
		{"forbidden after two answers 403 took one step too many", []int{403, 403}, true,
			end{outcome: schema.Unavailable, class: schema.ClassForbidden}, true},
		{"forbidden with a dead letter", []int{403, 403, 403}, true,
			end{outcome: schema.Unavailable, class: schema.ClassForbidden, letter: true}, true},
		{"forbidden, and ended with another class", []int{403, 403, 403, 404, 404, 404}, true,
			end{outcome: schema.Unavailable, class: schema.ClassNotReady}, true},
		{"forbidden, and succeeded", []int{403, 403, 403}, true,
			end{outcome: schema.Succeeded}, true},
		{"forbidden for a while, after three answers 403", []int{403, 403, 403}, false,
			end{outcome: schema.Unavailable, class: schema.ClassForbidden}, false},
		{"forbidden for a while, after two answers 403", []int{403, 403}, false,
			end{outcome: schema.Unavailable, class: schema.ClassForbidden}, true},
		{"failed after 429", slices.Repeat([]int{429}, 2*steps.Retry), false,
			end{outcome: schema.Failed, class: schema.ClassTransient, letter: true}, true},
		{"failed before the end of the ladder", slices.Repeat([]int{503}, steps.Retry), false,
			end{outcome: schema.Failed, class: schema.ClassTransient, letter: true}, true},
		{"failed at the end of the ladder", slices.Repeat([]int{503, 0}, steps.Retry), false,
			end{outcome: schema.Failed, class: schema.ClassTransient, letter: true}, false},
		{"failed because its deliveries ran out", []int{503, 429, 401}, false,
			end{outcome: schema.Failed, class: schema.ClassExhausted, letter: true}, true},
		{"failed after 422", []int{422}, false,
			end{outcome: schema.Failed, class: schema.ClassPermanent, letter: true}, false},
		{"failed after 422 without a dead letter", []int{422}, false,
			end{outcome: schema.Failed, class: schema.ClassPermanent}, true},
		{"unavailable after 410", []int{410}, false,
			end{outcome: schema.Unavailable, class: schema.ClassPermanent, letter: true}, false},
		{"unavailable after 410 without a dead letter", []int{410}, false,
			end{outcome: schema.Unavailable, class: schema.ClassPermanent}, true},
		{"failed after four broken answers", []int{0, 0, 0, 0}, false,
			end{outcome: schema.Failed, class: schema.ClassContract, letter: true}, true},
		{"failed after five broken answers", []int{0, 0, 0, 0, 0}, false,
			end{outcome: schema.Failed, class: schema.ClassContract, letter: true}, false},
		{"succeeded with a dead letter of an attempt before", []int{410}, false,
			end{outcome: schema.Succeeded, letter: true}, false},
		{"succeeded with a dead letter after 401", []int{401}, false,
			end{outcome: schema.Succeeded, letter: true}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, _ := goodScene()
			s.ledger.AddPerson("account-2", Person{Forbidden: row.forbidden})
			about := Call{Target: Target{"account-2", "income"}, Provider: schema.Pinwheel}
			s.served.Note(about, 200, []byte(`{"data":{"id":"i"}}`))
			for _, status := range row.answers {
				s.served.Note(about, status, nil)
			}
			w := s.send(Genuine, fake.Pinwheel, "x", "income.added", "account-2", `{}`, 200)
			s.store(w, `{}`)
			s.complete(w, schema.Income, row.end.outcome, func(c *schema.Completion) {
				if row.end.class == "" {
					records(`{"id":"i"}`)(c)
					return
				}
				c.Data.Error = &schema.CompletionError{Class: string(row.end.class)}
			})
			if row.end.letter {
				s.addDeadLetter(w, schema.Income, `{}`)
			}
			violations := s.violations()
			if (len(violations) > 0) != row.broken {
				t.Errorf("violations: %v, want any: %v", violations, row.broken)
			}
		})
	}
}

func TestNoEventEndsByAWaitWithoutALadder(t *testing.T) {
	every := cause{steps: steps, kind: Genuine, aimed: true, Answers: Answers{
		Broken: 1000, Lagging: 1000, Forbidden: 1000, Gone: 1000, Rejected: 1000,
	}}
	for _, class := range []schema.Class{
		schema.ClassThrottled, schema.ClassUnauthorized, schema.ClassNotStored,
		schema.ClassExhausted, schema.ClassPoison, schema.ClassProvider,
	} {
		for _, o := range []schema.Outcome{schema.Unavailable, schema.Failed} {
			if every.allows(&result{outcome: o, class: string(class)}) {
				t.Errorf("%s with class %s is allowed", o, class)
			}
		}
	}
}

func TestStaleDataIsALaggingAnswer(t *testing.T) {
	for _, row := range []struct {
		name, body string
		lagging    int
	}{
		{"a day old", `{"data":{"id":"i"},"meta":{"refreshed_at":"2001-02-03T04:05:06Z"}}`, 1},
		{"a report that is a day old",
			`{"data":{"id":"i","refreshed_at":"2001-02-03T04:05:06.000000+00:00"}}`, 1},
		{"a list that is a day old",
			`{"data":[],"meta":{"refreshed_at":"2001-02-03T04:05:06Z"}}`, 1},
		{"fresh", `{"data":{"id":"i"},"meta":{"refreshed_at":"2999-02-03T04:05:06Z"}}`, 0},
		{"without an age", `{"data":{"id":"i"}}`, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := NewServed()
			about := Call{Target: Target{account, "income"}, Provider: schema.Pinwheel}
			s.Note(about, 200, []byte(row.body))
			if got := s.AnswersTo(about.Target).Lagging; got != row.lagging {
				t.Errorf("%d lagging answers, want %d", got, row.lagging)
			}
			if s.IsTroubled(account) {
				t.Error("a whole answer counts as trouble")
			}
		})
	}
}
