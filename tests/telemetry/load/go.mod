module sandbox.test/load

go 1.24
