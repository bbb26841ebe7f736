package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

// SinglesMax is the largest number of records that one attempt gets one by one. An event may name
// thousands of ids, and a page of a list has a hundred records.
const SinglesMax = 20

// added gets the records that an event names in `added`: first from lists, then one by one. An
// attempt begins with the records that the attempt before saved.
type added struct {
	// lists are the lists to search, the most promising first. Each begins at a cursor.
	lists []func(cursor string) iter.Seq2[api.Page, error]
	// single gets one record by its id. Nil: the provider has no endpoint for that.
	single func(id string) (api.Snapshot, error)
	// idOf reads the id of a record.
	idOf func(json.RawMessage) (string, error)
}

// progress is the mark of an attempt for the next: where to go on.
type progress struct {
	// List is the index of the list to search next. After the last list, only single records are
	// left.
	List int `json:"list,omitempty"`
	// Cursor is the page of the list to begin at. Empty: the first page.
	Cursor string `json:"cursor,omitempty"`
	// RefreshedAt is the age of the records found so far. Zero means unknown.
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
}

// search is the state of one attempt.
type search struct {
	added
	job     workers.Job
	fetched workers.Fetched
	// wanted are the ids without a record so far.
	wanted map[string]bool
}

// fetch adds the announced records to job.Records. Ids without a record are missing.
func (a added) fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	s := &search{
		added:   a,
		job:     job,
		fetched: workers.Fetched{Scope: schema.Delta, Deleted: job.Payload.Deleted},
		wanted:  map[string]bool{},
	}
	for _, id := range job.Payload.Added {
		s.wanted[id] = true
	}
	begin, err := s.resume(ctx)
	if err == nil {
		err = s.searchLists(ctx, begin)
	}
	if err == nil {
		err = s.getSingles(ctx)
	}
	if err != nil {
		return workers.Fetched{}, err
	}
	s.fetched.Missing = s.missing()
	s.mark(progress{}) // the provider may be late: the next attempt searches from the start
	return s.fetched, nil
}

// resume begins with the records of the attempt before, and returns where to go on.
func (s *search) resume(ctx context.Context) (progress, error) {
	ids, mark, err := s.job.Records.Resume(ctx, s.idOf)
	if err != nil {
		return progress{}, err
	}
	for _, id := range ids {
		delete(s.wanted, id)
	}
	if mark == "" { // nothing was saved
		return progress{}, nil
	}
	var begin progress
	if err := json.Unmarshal([]byte(mark), &begin); err != nil {
		return progress{}, fmt.Errorf("resume the search for added records: %w", err)
	}
	s.fetched.RefreshedAt = begin.RefreshedAt
	if s.single != nil && len(s.wanted) <= SinglesMax {
		begin = progress{List: len(s.lists)}
	}
	return begin, nil
}

// searchLists searches one list after the other, until few enough ids are left to get one by one.
// The first list is always searched.
func (s *search) searchLists(ctx context.Context, begin progress) error {
	cursor := begin.Cursor
	for i := begin.List; i < len(s.lists) && len(s.wanted) > 0; i++ {
		if i > 0 && len(s.wanted) <= SinglesMax {
			return nil
		}
		err := s.searchList(ctx, i, cursor)
		if cursor != "" && isRefused(err) {
			err = s.searchList(ctx, i, "")
		}
		if err != nil {
			return err
		}
		cursor = ""
	}
	return nil
}

// searchList reads the pages of a list, from the cursor on, until every id is found.
func (s *search) searchList(ctx context.Context, i int, cursor string) error {
	for page, err := range s.lists[i](cursor) {
		if err != nil {
			return err
		}
		noteAge(&s.fetched, page, s.job)
		for _, r := range page.Records {
			if !s.wanted[r.ID] {
				continue
			}
			if err := s.add(ctx, r); err != nil {
				return err
			}
		}
		if len(s.wanted) == 0 {
			return nil
		}
		if page.Next == "" {
			s.mark(progress{List: i + 1})
		} else {
			s.mark(progress{List: i, Cursor: page.Next})
		}
	}
	return nil
}

// getSingles gets the records that the lists lack one by one, at most SinglesMax of them. A list
// between two dates lacks a record with another date.
func (s *search) getSingles(ctx context.Context) error {
	if s.single == nil {
		return nil
	}
	unlisted := s.missing()
	for _, id := range unlisted[:min(len(unlisted), SinglesMax)] {
		got, err := s.single(id)
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return err
		}
		err = s.add(ctx, api.Record{ID: id, JSON: got.JSON})
		got.Answer.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *search) add(ctx context.Context, r api.Record) error {
	delete(s.wanted, r.ID)
	return s.job.Records.Add(ctx, r)
}

// mark says where the next attempt goes on. Stale records are not worth saving: the next attempt
// must see whether the provider has newer ones.
func (s *search) mark(p progress) {
	p.RefreshedAt = s.fetched.RefreshedAt
	mark, err := json.Marshal(p)
	if err != nil || s.fetched.Stale { // no error is possible: the fields are text and a time
		mark = nil
	}
	s.job.Records.Mark(string(mark))
}

// missing returns the ids without a record, each once, in the order of the event.
func (s *search) missing() []string {
	var missing []string
	listed := map[string]bool{}
	for _, id := range s.job.Payload.Added {
		if s.wanted[id] && !listed[id] {
			listed[id] = true
			missing = append(missing, id)
		}
	}
	return missing
}

// isRefused reports whether the provider understood the call and has nothing for it: the same call
// would end so again. An older cursor is one reason, because no provider says how long a cursor is
// good.
func isRefused(err error) bool {
	status, ok := errors.AsType[*api.StatusError](err)
	if !ok {
		return false
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusGone,
		http.StatusUnprocessableEntity:
		return true
	default:
		return false
	}
}
