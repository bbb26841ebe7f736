package nats_test

import (
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// update writes what is generated.
var update = flag.Bool("update", false, "write the generated files")

const demo = "../compose/demo"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheAccountsAreTheGrants(t *testing.T) {
	for file, want := range map[string]string{
		nats.AccountsFile:                   nats.Accounts(),
		nats.UpgradeFile:                    nats.AccountsForUpgrade(),
		filepath.Join(demo, nats.TeamsFile): nats.Teams(demoTeams(t)),
	} {
		if *update {
			must(t, os.WriteFile(file, []byte(want), 0o600))
		}
		have, err := os.ReadFile(file)
		must(t, err)
		if diff := cmp.Diff(string(have), want); diff != "" {
			t.Errorf("%s (repair: make generate) (-have +want):\n%s", file, diff)
		}
	}
}

// install reads a configuration file, with the keys of the demonstration.
func install(t testing.TB, main string) *server.Options {
	t.Helper()
	return readConfig(t, filepath.Join(copyInstallation(t), main))
}

// copyInstallation copies the configuration and the keys of the demonstration into one directory,
// as in a container.
func copyInstallation(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for _, pattern := range []string{"*.conf", filepath.Join(demo, "*.conf"),
		filepath.Join(demo, "*.pem")} {
		found, err := filepath.Glob(pattern)
		must(t, err)
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		text = bytes.ReplaceAll(text, []byte("/etc/nats/"), []byte(dir+"/"))
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600))
	}
	return dir
}

func readConfig(t testing.TB, path string) *server.Options {
	t.Helper()
	//nolint:usetesting // T.Setenv forbids parallel tests; every test sets the same value
	must(t, os.Setenv("SERVER_NAME", "nats-1"))
	options, err := server.ProcessConfigFile(path)
	must(t, err)
	return options
}

func TestTheNodeIsAsTheContainerNeedsIt(t *testing.T) {
	o := install(t, "nats.conf")
	for promise, holds := range map[string]bool{
		"its name is $SERVER_NAME":      o.ServerName == "nats-1",
		"clients reach it from outside": o.Host == "0.0.0.0" && o.Port == 4222,
		"only the container itself can ask for health": o.HTTPHost == "127.0.0.1" &&
			o.HTTPPort == 8222,
		"it stores on the volume":                   o.JetStream && o.StoreDir == "/data",
		"it answers after the write to the disk":    o.SyncAlways,
		"it takes a message of 1 MiB and no larger": o.MaxPayload == 1<<20,
		"it logs no message":                        !o.Debug && !o.Trace && !o.TraceVerbose,
		"nobody connects without a key": o.NoAuthUser == "" && len(o.Users) == 0 &&
			len(o.Nkeys) == len(stream.Roles())+len(demoTeams(t)),
		"the system account has no users":               o.SystemAccount == "SYS",
		"acks are on the subjects that the grants name": !o.FeatureFlags["js_ack_fc_v2"],
		"it is not a node of a cluster":                 o.Cluster.Port == 0,
	} {
		if !holds {
			t.Error(promise)
		}
	}
	users := map[string]int{}
	for _, user := range o.Nkeys {
		users[user.Account.Name]++
	}
	for account, n := range users {
		if n != 1 {
			t.Errorf("account %s has %d users: a role shares it", account, n)
		}
	}
}

func TestTheNodeHasRoomForTheTopology(t *testing.T) {
	topology := schema.DefaultTopology()
	reserved := topology.Records.MaxBytes
	for _, s := range topology.Streams {
		reserved += s.MaxBytes
	}
	const roomMin = 1 << 30 // for one stream to grow
	if limit := install(t, "nats.conf").JetStreamMaxStore; limit < reserved+roomMin {
		t.Errorf("max_file_store is %d, the streams reserve %d: want %d more at least", limit,
			reserved, int64(roomMin))
	}
}

func TestTheClusterIsThreeOfTheNode(t *testing.T) {
	o := install(t, "cluster.conf")
	if o.Cluster.Name != "wagewire" || o.Cluster.Port != 6222 || !o.Cluster.NoAdvertise ||
		len(o.Nkeys) != len(stream.Roles())+len(demoTeams(t)) || !o.SyncAlways {
		t.Errorf("cluster %+v of nodes with %d users", o.Cluster, len(o.Nkeys))
	}
	if o.TLSConfig == nil || o.Cluster.TLSConfig == nil ||
		o.Cluster.TLSConfig.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Error("clients and nodes need no TLS")
	}
	if diff := cmp.Diff("[nats://nats-1:6222 nats://nats-2:6222 nats://nats-3:6222]",
		fmt.Sprint(o.Routes)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

// checkPairs checks that the key of each role in the configuration belongs to the role's seed.
func checkPairs(t *testing.T, dir string) {
	t.Helper()
	public, err := os.ReadFile(filepath.Join(dir, nats.KeysFile))
	must(t, err)
	lines := regexp.MustCompile(`(?m)^[^#].*\n`).FindAllString(string(public), -1)
	roles := stream.Roles()
	if len(lines) != len(roles) {
		t.Fatalf("%d keys for %d roles", len(lines), len(roles))
	}
	for i, role := range roles {
		key := publicKey(t, filepath.Join(dir, nats.SeedFile(role)))
		want := strings.ToUpper(strings.ReplaceAll(role, "-", "_")) + ": " + key + "\n"
		if lines[i] != want || !nkeys.IsValidPublicUserKey(key) {
			t.Errorf("%s: the key is %q, its seed's %q", role, lines[i], want)
		}
	}
}

// publicKey returns the public key of the seed in a file.
func publicKey(t testing.TB, path string) string {
	t.Helper()
	seed, err := os.ReadFile(path)
	must(t, err)
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	must(t, err)
	key, err := pair.PublicKey()
	must(t, err)
	return key
}

// demoTeams are the teams of the demonstration: one, with every resource.
func demoTeams(t testing.TB) []stream.Team {
	t.Helper()
	team := stream.Team{
		Name: "lending", Durables: []string{"lending"}, Resources: schema.WorkerResources(),
		Key: publicKey(t, filepath.Join(demo, nats.TeamSeedFile("lending"))),
	}
	return []stream.Team{team}
}

func TestTheDemonstrationsSeedsAreThoseOfItsKeys(t *testing.T) { checkPairs(t, demo) }

func TestWriteKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	must(t, nats.WriteKeys(dir))
	checkPairs(t, dir)
	mode := func(path string) string {
		info, err := os.Stat(path)
		must(t, err)
		return fmt.Sprintf("%04o", info.Mode().Perm())
	}
	if got := mode(dir); got != "0700" {
		t.Errorf("the directory has mode %s: other users may enter", got)
	}
	seeds := map[string]bool{}
	for _, role := range stream.Roles() {
		path := filepath.Join(dir, nats.SeedFile(role))
		if got := mode(path); got != "0644" {
			t.Errorf("%s has mode %s: a container could not read it", path, got)
		}
		seed, err := os.ReadFile(path)
		must(t, err)
		seeds[string(seed)] = true
	}
	if len(seeds) != len(stream.Roles()) {
		t.Errorf("%d seeds for %d roles", len(seeds), len(stream.Roles()))
	}
}

func TestWriteKeysRefuses(t *testing.T) {
	for _, name := range []string{nats.KeysFile, nats.SeedFile(stream.RoleOperator)} {
		t.Run("to overwrite "+name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600))
			err := nats.WriteKeys(dir)
			if err == nil || !strings.Contains(err.Error(), name+" exists already") {
				t.Errorf("error %v", err)
			}
			left, err := os.ReadDir(dir)
			must(t, err)
			if text, _ := os.ReadFile(filepath.Join(dir, name)); len(left) != 1 ||
				string(text) != "mine" {
				t.Errorf("the directory has %v", left)
			}
		})
	}
	t.Run("a directory that others may enter", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "open")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chmod(dir, 0o755))
		if err := nats.WriteKeys(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("error %v", err)
		}
	})
}
