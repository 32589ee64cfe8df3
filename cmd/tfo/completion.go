package main

import "github.com/spf13/cobra"

const completionLong = `completion prints a script that teaches a shell to complete the commands, flags and
values of tfo when you press Tab. tfo completion SHELL --help says where the script
belongs.`

const completionExample = `  source <(tfo completion bash)                                  for this shell only
  sudo sh -c 'tfo completion bash > /etc/bash_completion.d/tfo'  from now on
  tfo completion zsh > "${fpath[1]}/_tfo"
  tfo completion fish > ~/.config/fish/completions/tfo.fish`

// addCompletion gives root the command that cobra makes, in our words.
func addCompletion(root *cobra.Command) {
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
