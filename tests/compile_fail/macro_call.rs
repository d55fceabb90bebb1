fn main() {
    gorun::go!(println!("text")); //~ error: cannot start a macro call && `go!(async { println!(..) })`
    gorun::go!(std::println!["text"]); //~ error: `go!(async { println!(..) })`
    gorun::go!(::std::println! { "text" }); //~ error: `go!(async { println!(..) })`
    gorun::go!(println!("text"),); //~ error: `go!(async { println!(..) })`
    gorun::go!(
        //~^ error: `go!(async { println!(..) })`
        vec![1]
    );
}
