async fn with_argument(_: u8) {}

fn main() {
    gorun::go!(5); //~ error: `go!` cannot start a value of type `{integer}` && `go!(f(x))`
    gorun::go!(with_argument); //~ error: `go!` cannot start a value of type && with_argument
    gorun::go!("text"); //~ error: `go!` cannot start a value of type `&str`
    gorun::go!({ with_argument(1); }); //~ error: `go!` cannot start a value of type `()`
    let closure = |x: u8| x;
    gorun::go!(closure); //~ error: `go!` cannot start a value of type
}
