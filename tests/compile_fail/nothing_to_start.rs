fn main() {
    gorun::go!(); //~ error: `go!` needs something to run
}
