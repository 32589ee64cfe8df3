package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const completionLong = `completion prints a script that teaches a shell to complete the commands, flags and
values of tfo when you press Tab. tfo completion SHELL --help says where the script
belongs.`

const completionExample = `  source <(tfo completion bash)                                  for this shell only
  sudo sh -c 'tfo completion bash > /etc/bash_completion.d/tfo'  from now on
  tfo completion zsh > "${fpath[1]}/_tfo"
  tfo completion fish > ~/.config/fish/completions/tfo.fish`

// addCompletion gives root the command that cobra makes, in our words, and
// says of the flags of all commands what may follow them. Call it when root
// has all its commands.
func addCompletion(root *cobra.Command) {
	completeFlags(root)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Use = "completion SHELL"
		cmd.Short = "Print a script that completes tfo's commands in a shell"
		cmd.Long, cmd.Example = completionLong, completionExample
		cmd.Args = func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no completion for %q: choose bash, zsh, fish or powershell", args[0])
			}
			return nil
		}
		cmd.RunE = func(*cobra.Command, []string) error {
			return usagef("no shell to complete for: choose bash, zsh, fish or powershell")
		}
		for _, shell := range cmd.Commands() {
			shell.Short = "Print the script for " + shell.Name()
			shell.Example = "  tfo completion " + shell.Name()
		}
	}
}

// completeFlags does so for a command and those below it.
func completeFlags(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { completeFlag(cmd, f) })
	for _, sub := range cmd.Commands() {
		completeFlags(sub)
	}
}

// completeFlag says what may follow a flag, unless that is said already: the
// names of namespaces, and of files only where a file belongs.
func completeFlag(cmd *cobra.Command, f *pflag.Flag) {
	if _, ok := cmd.GetFlagCompletionFunc(f.Name); ok {
		return
	}
	complete := cobra.NoFileCompletions
	switch value, _ := pflag.UnquoteUsage(f); {
	case value == "FILE" || value == "DIR" || value == "DATA":
		return
	case f.Name == "netns":
		complete = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return namesIn("/run/netns"), cobra.ShellCompDirectiveDefault // or the path of one
		}
	}
	if err := cmd.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
		panic(err) // the flag is there and has none
	}
}

// namesIn lists a directory: that of the namespaces which ip netns has named.
// One that is not there is empty.
func namesIn(dir string) (names []cobra.Completion) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
