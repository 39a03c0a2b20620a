module sandbox/tests/s3/load

go 1.25
