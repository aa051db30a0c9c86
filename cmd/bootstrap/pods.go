package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
)

func newPodsCommand() *cobra.Command {
	var query observe.PodQuery
	cmd := newLookCommand("pods", "Show the pods of this node, also when the API server is down",
		"text, or json: one object with all pods",
		func(cmd *cobra.Command, on observe.Observer, asJSON bool) error {
			pods, err := observe.Pods(cmd.Context(), on.Host, query)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), podsObject{Schema: outputVersion, Pods: podLines(pods)})
			}
			return printPods(cmd.OutOrStdout(), podLines(pods), time.Now())
		})
	cmd.Flags().BoolVarP(&query.All, "all", "a", false, "show what has ended too")
	cmd.Flags().StringVar(&query.Endpoint, "cri-socket", "", "socket of the container runtime (default: the one that the kubelet uses)")
	return cmd
}

func printPods(w io.Writer, pods []podLine, now time.Time) error {
	if len(pods) == 0 {
		_, err := fmt.Fprintln(w, "No pod runs here; --all shows what has ended.")
		return err
	}
	table := newTable(w, "POD\tCONTAINER\tSTATE\tRESTARTS\tAGE\tIMAGE")
	for _, p := range pods {
		name := printable(p.Namespace + "/" + p.Name)
		if len(p.Containers) == 0 {
			fmt.Fprintf(table, "%s\t-\t%s\t-\t%s\t-\n", name, p.State, age(now.Sub(p.Created)))
		}
		for _, c := range p.Containers {
			state := c.State
			if c.ExitCode != nil {
				state = fmt.Sprintf("%s %d", state, *c.ExitCode)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n",
				name, printable(c.Name), state, c.Restarts, age(now.Sub(c.Created)), printable(c.Image))
		}
	}
	return table.Flush()
}

// podsObject is all of pods -o json.
type podsObject struct {
	Schema string    `json:"schema"`
	Pods   []podLine `json:"pods"`
}

type podLine struct {
	Namespace  string          `json:"namespace"`
	Name       string          `json:"name"`
	ID         string          `json:"id"`
	State      string          `json:"state"`   // ready, stopped
	Created    time.Time       `json:"created"` // in whole seconds, UTC
	Containers []containerLine `json:"containers"`
}

type containerLine struct {
	Name     string    `json:"name"`
	ID       string    `json:"id"`
	State    string    `json:"state"`              // running, exited, created
	ExitCode *int32    `json:"exitCode,omitempty"` // of exited
	Restarts uint32    `json:"restarts"`
	Created  time.Time `json:"created"` // in whole seconds, UTC
	Image    string    `json:"image"`
}

func podLines(pods []runtime.Sandbox) []podLine {
	lines := make([]podLine, 0, len(pods))
	for _, p := range pods {
		line := podLine{
			Namespace: p.Namespace, Name: p.Name, ID: p.ID, State: "stopped",
			Created: p.Created.UTC().Truncate(time.Second), Containers: []containerLine{},
		}
		if p.Ready {
			line.State = "ready"
		}
		for _, c := range p.Containers {
			line.Containers = append(line.Containers, newContainerLine(c))
		}
		lines = append(lines, line)
	}
	return lines
}

func newContainerLine(c runtime.Container) containerLine {
	line := containerLine{
		Name: c.Name, ID: c.ID, State: "created", Restarts: c.Attempt,
		Created: c.Created.UTC().Truncate(time.Second), Image: c.Image,
	}
	switch {
	case c.Running:
		line.State = "running"
	case c.Exited:
		line.State, line.ExitCode = "exited", &c.ExitCode
	}
	return line
}
