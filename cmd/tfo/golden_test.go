package main

import "flag"

var update = flag.Bool("update", false, "write anew the files in testdata that tests compare with")
