fn main() {
    let v = vec![1];
    gorun::go!(async { drop(v.len()) }); //~ error: async block may outlive the current function && async move {
    gorun::go!(|| drop(v.len())); //~ error: closure may outlive the current function && move || drop
}
