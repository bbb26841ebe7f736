package api

import (
	"fmt"
	"slices"
	"sync"
)

// secrets chooses the secret of each try.
type secrets struct {
	active func() ([]string, error)
	reread func() ([]string, error) // Config.Reread

	mu     sync.Mutex
	worked string // the secret of the last success; empty before the first success
}

// choose returns the secret of the next try, or "" if refused has every active secret, also after
// the secrets were read again. The secret of the last success comes first, then the active secrets
// in order. An error wraps ErrCredentials.
func (s *secrets) choose(refused []string) (string, error) {
	secret, err := s.chooseFrom(s.active, refused)
	if secret != "" || err != nil || s.reread == nil {
		return secret, err
	}
	return s.chooseFrom(s.reread, refused)
}

func (s *secrets) chooseFrom(
	read func() ([]string, error), refused []string,
) (string, error) {
	active, err := read()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	if len(active) == 0 {
		return "", fmt.Errorf("%w: no secret is active", ErrCredentials)
	}
	if slices.Contains(active, "") {
		return "", fmt.Errorf("%w: the secret is empty", ErrCredentials)
	}
	worked := s.lastWorked()
	if slices.Contains(active, worked) && !slices.Contains(refused, worked) {
		return worked, nil
	}
	for _, secret := range active {
		if !slices.Contains(refused, secret) {
			return secret, nil
		}
	}
	return "", nil
}

func (s *secrets) lastWorked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.worked
}

// remember makes secret the first choice of later tries.
func (s *secrets) remember(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worked = secret
}
