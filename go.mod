module github.com/fastopen-go/fastopen

go 1.26
