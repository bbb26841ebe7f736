//go:build cluster

package cluster

import (
	"path/filepath"
	"strings"
	"testing"
)

// showRollingUpgrade replaces every pod but that of the broker twice. Every response to a webhook
// must be 200, at the first try.
func showRollingUpgrade(t *testing.T, r *release) {
	r.useBusy(t)
	before := len(r.fakes.refusals(t))
	stop := r.underLoad(t, false)
	for _, revision := range []string{"1", "2"} {
		former := r.podNames(t)
		stored := r.ledger.accepted()
		r.useBusy(t, "--set-string", "ingress.extraAnnotations.revision="+revision,
			"--set-string", "workers.extraAnnotations.revision="+revision,
			"--set-string", "accounts.extraAnnotations.revision="+revision)
		r.moreStored(t, stored)
		for name := range r.podNames(t) {
			if former[name] {
				t.Errorf("%s is still there after the upgrade", name)
			}
		}
	}
	stop()
	refusals := r.fakes.refusals(t)
	if n := len(refusals) - before; n > 0 {
		t.Errorf("%d webhooks were not answered 200: %q", n, refusals)
	}
	r.settled(t, r.fakes)
}

// podNames returns the names of the pods of ingress and the workers that do not end.
func (r *release) podNames(t *testing.T) map[string]bool {
	t.Helper()
	pods, err := r.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range running(pods) {
		names[p.Name] = true
	}
	return names
}

// uninstall removes the release, and waits until its pods are gone.
func (r *release) uninstall(t *testing.T) {
	t.Helper()
	if err := r.helm(t.Context(), "uninstall", r.name, "--wait", "--timeout", "10m"); err != nil {
		t.Fatal(err)
	}
}

// showUninstall uninstalls the release and installs it again. The events and completions from
// before must be there.
func showUninstall(t *testing.T, r *release) {
	r.useBusy(t)
	r.fakes.sendMany(t, scaledType, 20)
	r.uninstall(t)
	r.useBusy(t)
	r.fakes.sendMany(t, scaledType, 20)
	r.settled(t, r.fakes)
}

// former is the release before the present one.
type former struct {
	chart  string
	images images
}

// formerVersion is the version of the stand-in while there is no former release.
const formerVersion = "0.0.1"

// newFormer returns the newest tagged version before the present one: its chart, and images of its
// commands. Without a tag there is no former release. A package of the present chart under a former
// version then stands in for it, with images of the present commands under a former tag.
func (s surroundings) newFormer(t *testing.T) former {
	t.Helper()
	tag, err := s.run(t.Context(), "git", "describe", "--tags", "--abbrev=0", "HEAD^")
	if err != nil {
		return s.standIn(t)
	}
	tag = strings.TrimSpace(tag)
	t.Logf("the former release is %s", tag)
	tree := filepath.Join(t.TempDir(), "tree")
	s.must(t, "git", "worktree", "add", "--detach", tree, tag)
	t.Cleanup(func() { s.clean(t, "git", "worktree", "remove", "--force", tree) })
	return former{
		chart:  filepath.Join(tree, "deploy", "kubernetes", "chart"),
		images: s.imagesOf(t, *formerFlag, tree, "former"),
	}
}

// standIn packages the present chart under a former version.
func (s surroundings) standIn(t *testing.T) former {
	t.Helper()
	t.Logf("there is no former release: the present chart as version %s stands in", formerVersion)
	dir := t.TempDir()
	s.must(t, "helm", "package", chart, "--version", formerVersion, "--app-version", "former",
		"--destination", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(files) != 1 {
		t.Fatalf("helm package wrote %q: %v", files, err)
	}
	return former{chart: files[0], images: s.imagesOf(t, *formerFlag, repository, "former")}
}

// showFormer installs the former release, upgrades it to the present one, rolls back and upgrades
// again, all under load. The broker restarts each time, so a webhook may be refused. Its provider
// repeats the webhook.
func showFormer(t *testing.T, s surroundings, wagewire string, present images) {
	f := s.newFormer(t)
	r := newRelease(t, s, wagewire, "wagewire-former", f.images)
	r.upgradeTo(t, f.chart, busyValues...)
	r.ready(t)
	r.startFakes(t)
	stop := r.underLoad(t, true)
	r.images = present
	for _, step := range []struct {
		name string
		take func()
	}{
		{"upgrade to the present release", func() { r.upgrade(t, busyValues...) }},
		{"roll back", func() {
			if err := r.helm(t.Context(), "rollback", r.name, "1"); err != nil {
				t.Fatal(err)
			}
		}},
		{"upgrade again", func() { r.upgrade(t, busyValues...) }},
	} {
		t.Log(step.name)
		stored := r.ledger.accepted()
		step.take()
		r.ready(t)
		r.moreStored(t, stored)
	}
	stop()
	t.Logf("webhooks answered otherwise than 200, and repeated: %d", len(r.fakes.refusals(t)))
	r.settled(t, r.fakes)
}
