package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ErrID is wrapped by Get's error when an id of the Endpoint is empty, "." or "..". In a path
// such an id would name another resource. Get therefore sends nothing, and a retry will not help.
var ErrID = errors.New(`empty, "." or ".." is no id`)

// Endpoint is an address to get, or to change by Send. Path makes an Endpoint.
type Endpoint struct {
	Template string     // the path without ids: fit for logs and metrics
	Query    url.Values // may be nil

	path string // Template with every id escaped
	err  error  // why there is no such path

	// change is the method and body of a Send, nil for a Get.
	change *change
}

// change is a call that changes something at the API.
type change struct {
	method string
	body   []byte
}

// method is the method of a change, and empty for a Get.
func (e Endpoint) method() string {
	if e.change == nil {
		return ""
	}
	return e.change.method
}

// verb is the word for a call to the Endpoint in errors.
func (e Endpoint) verb() string { return verbOf(e.method()) }

// isSuccess reports whether the status is that of a success. An API answers a change with 201 if
// the change made something.
func (e Endpoint) isSuccess(status int) bool {
	return status == http.StatusOK || e.change != nil && status == http.StatusCreated
}

// Path returns the Endpoint at template. The first id takes the place of the first {name} in
// template, and so on. Ids are escaped: every id stays a single segment of the path. A slash at
// the end is kept. Get reports an id that cannot stand in a path.
func Path(template string, ids ...string) Endpoint {
	e := Endpoint{Template: template}
	var path strings.Builder
	rest := template
	for {
		before, after, ok := strings.Cut(rest, "{")
		path.WriteString(before)
		if !ok {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		if len(ids) == 0 {
			e.err = fmt.Errorf("get %s: no id given for {%s}", template, name)
			return e
		}
		if ids[0] == "" || ids[0] == "." || ids[0] == ".." {
			e.err = fmt.Errorf("get %s: {%s}: %w", template, name, ErrID)
			return e
		}
		path.WriteString(url.PathEscape(ids[0]))
		ids = ids[1:]
		rest = tail
	}
	if len(ids) > 0 {
		e.err = fmt.Errorf("get %s: more ids given than it has places", template)
	}
	e.path = path.String()
	return e
}
