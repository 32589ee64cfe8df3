package main

func pathWorkloads() []workload  { return nil }
func sizeWorkloads() []workload  { return nil }
func tunWorkloads() []workload   { return nil }
func floodWorkloads() []workload { return nil }
func farEnd([]string)            {}
