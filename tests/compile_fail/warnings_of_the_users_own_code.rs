fn main() {
    gorun::go!(async {
        let unused = 1; //~ warning: unused variable: `unused`
    });
    gorun::go!(|| {
        panic!();
        println!(); //~ warning: unreachable statement
    });
}
