module gorun/benches

go 1.22
