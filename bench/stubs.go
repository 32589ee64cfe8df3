package main

func tunWorkloads() []workload   { return nil }
func floodWorkloads() []workload { return nil }
func farEnd([]string)            {}
