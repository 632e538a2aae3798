// life SOCKET DIR: the life of a service as the older generation's Go client
// leads it: a connection for each command, read to its end, the state taken
// with a regular expression, stop polled until the service has ended.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

var state = regexp.MustCompile(`^\w+(\(.+\))?$`)
var word = regexp.MustCompile(`^\w+`)

type answer struct {
	State string          `json:"state"`
	Body  json.RawMessage `json:"body"`
}

type status struct {
	Name   string            `json:"name"`
	Pid    int               `json:"pid"`
	State  string            `json:"state"`
	Target string            `json:"target"`
	After  map[string]string `json:"after"`
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func command(line string, body any) {
	connection, err := net.Dial("unix", os.Args[1])
	if err != nil {
		fail("%s: %v", line, err)
	}
	defer connection.Close()
	if _, err := connection.Write([]byte(line + "\n")); err != nil {
		fail("%s: %v", line, err)
	}
	text, err := io.ReadAll(connection)
	if err != nil {
		fail("%s: %v", line, err)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil || a.State != "ok" {
		fail("%s: %v: %s", line, err, text)
	}
	if body != nil {
		if err := json.Unmarshal(a.Body, body); err != nil {
			fail("%s: %v: %s", line, err, text)
		}
	}
}

func until(what string, done func(status) bool) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var s status
		command("status new", &s)
		if !state.MatchString(s.State) {
			fail("a state that is none: %s", s.State)
		}
		if done(s) {
			return
		}
		if time.Now().After(end) {
			fail("not %s: %+v", what, s)
		}
	}
}

func main() {
	var list map[string]string
	command("list", &list)
	if len(list) != 0 {
		fail("a list that should be empty: %v", list)
	}
	file := "exec: sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.1; done'\nshutdown_timeout: 0\n"
	if err := os.WriteFile(filepath.Join(os.Args[2], "new.yaml"), []byte(file), 0o644); err != nil {
		fail("%v", err)
	}
	command("monitor new", nil)
	command("start new", nil)
	until("running", func(s status) bool { return s.State == "Running" && s.Target == "Up" && s.Pid > 0 })
	command("kill new SIGUSR1", nil)
	until("running again", func(s status) bool { return s.State == "Running" })
	command("stop new", nil)
	until("ended", func(s status) bool {
		switch word.FindString(s.State) {
		case "Success", "Error", "Failure", "Blocked":
			return s.Target == "Down"
		}
		return false
	})
	command("forget new", nil)
	list = nil
	command("list", &list)
	fmt.Println(len(list))
}
