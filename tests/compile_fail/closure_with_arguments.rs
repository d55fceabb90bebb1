fn main() {
    gorun::go!(|x: u8| drop(x)); //~ error: closure without arguments && `go!((|x| ..)(value))`
    gorun::go!(move |x: u8| drop(x)); //~ error: closure without arguments
    gorun::go!(async move |x: u8| drop(x)); //~ error: closure without arguments
}
