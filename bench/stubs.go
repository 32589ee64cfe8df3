package main

func connectWorkloads() []workload { return nil }
func pingWorkloads() []workload    { return nil }
func idleWorkloads() []workload    { return nil }
func pathWorkloads() []workload    { return nil }
func sizeWorkloads() []workload    { return nil }
func tunWorkloads() []workload     { return nil }
func floodWorkloads() []workload   { return nil }
func farEnd([]string)              {}
