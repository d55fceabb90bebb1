//! What `go!` evaluates where, and that each of its forms runs.
//!
//! A goroutine may start before or after `go!` returns, on any worker. The tests therefore ask what
//! was evaluated by means that do not depend on it: values that are not `Send`, and a flag of the
//! thread that is raised only while `go!` itself runs.

use std::cell::{Cell, RefCell};
use std::future::{IntoFuture, Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, OnceLock};

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use gorun::{block_on, go};

type Out<T> = UnboundedSender<T>;

/// Runs `f` as main and returns what was sent until every sender was gone, sorted.
fn sent<T: Ord>(f: impl FnOnce(Out<T>)) -> Vec<T> {
    let mut all: Vec<T> = block_on(async {
        let (out, sent) = unbounded();
        f(out);
        sent.collect().await
    });
    all.sort();
    all
}

fn send<T>(value: T, out: Out<T>) {
    out.unbounded_send(value).unwrap();
}

async fn send_async<T>(value: T, out: Out<T>) {
    out.unbounded_send(value).unwrap();
}

thread_local! {
    static IN_GO: Cell<bool> = const { Cell::new(false) };
}

/// Raises the flag of this thread for the duration of `$go`. No other goroutine runs on the thread
/// meanwhile, because nothing awaits.
macro_rules! flagged {
    ($($go:tt)+) => {{
        IN_GO.set(true);
        $($go)+;
        IN_GO.set(false);
    }};
}

fn in_caller() -> bool {
    IN_GO.get()
}

#[test]
fn the_body_of_a_plain_fn_does_not_run_in_the_caller() {
    fn plain(out: Out<bool>) {
        send(in_caller(), out);
    }
    assert_eq!(sent(|out| flagged!(go!(plain(out)))), [false]);
}

#[test]
fn the_call_of_a_fn_that_returns_a_future_is_not_made_in_the_caller() {
    fn call(out: Out<bool>) -> impl Future<Output = ()> + Send {
        let during_call = in_caller();
        async move { send(during_call, out) }
    }
    assert_eq!(sent(|out| flagged!(go!(call(out)))), [false]);
    assert_eq!(sent(|out| flagged!(go!((call(out))))), [false]);
}

#[test]
fn a_method_is_not_called_in_the_caller() {
    struct Plain;
    impl Plain {
        fn run(&self, out: Out<bool>) {
            send(in_caller(), out);
        }
    }
    assert_eq!(sent(|out| flagged!(go!(Plain.run(out)))), [false]);
}

#[test]
fn a_closure_is_not_called_in_the_caller() {
    let flags = sent(|out| {
        let to = out.clone();
        flagged!(go!(move || send(in_caller(), to)));
        let to = out.clone();
        let variable = move || send(in_caller(), to);
        flagged!(go!(variable));
        flagged!(go!((|to| send(in_caller(), to))(out)));
    });
    assert_eq!(flags, [false; 3]);
}

#[test]
fn callee_and_arguments_are_evaluated_by_the_caller_in_source_order() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let note = |what| log.borrow_mut().push(what);
    let sums = sent(|out| {
        fn add(a: u32, b: u32, out: Out<u32>) {
            send(a + b, out);
        }
        go!({
            note("callee");
            add
        }(
            {
                note("a");
                1
            },
            {
                note("b");
                2
            },
            {
                note("out");
                out
            }
        ));
        note("go");
    });
    assert_eq!(sums, [3]);
    assert_eq!(*log.borrow(), ["callee", "a", "b", "out", "go"]);
}

#[test]
fn a_receiver_is_evaluated_by_the_caller_before_the_arguments() {
    struct Receiver(u32);
    impl Receiver {
        async fn add(self, a: u32, out: Out<u32>) {
            send(self.0 + a, out);
        }
    }
    let log = Rc::new(RefCell::new(Vec::new()));
    let note = |what| log.borrow_mut().push(what);
    let sums = sent(|out| {
        go!({
            note("receiver");
            Receiver(1)
        }
        .add(
            {
                note("a");
                2
            },
            {
                note("out");
                out
            }
        ));
        note("go");
    });
    assert_eq!(sums, [3]);
    assert_eq!(*log.borrow(), ["receiver", "a", "out", "go"]);
}

#[test]
fn a_question_mark_in_an_argument_returns_from_the_caller() {
    fn start(value: Option<u32>, out: Out<u32>) -> Option<()> {
        go!(send_async(value?, out));
        Some(())
    }
    assert_eq!(sent(|out| assert_eq!(start(None, out), None)), []);
    assert_eq!(sent(|out| assert_eq!(start(Some(4), out), Some(()))), [4]);
}

#[test]
fn break_in_an_argument_leaves_the_loop_of_the_caller() {
    let values = sent(|out| {
        for n in 0..10 {
            go!(send(if n < 3 { n } else { break }, out.clone()));
        }
    });
    assert_eq!(values, [0, 1, 2]);
}

#[test]
fn an_await_in_an_argument_is_done_by_the_caller() {
    let value = block_on(async {
        let (out, mut sent) = unbounded();
        let local = Rc::new(4);
        go!(send_async(async { *local }.await, out));
        sent.next().await
    });
    assert_eq!(value, Some(4));
}

mod path {
    use super::{Out, send};

    pub(crate) async fn generic<T>(value: T, out: Out<T>) {
        send(value, out);
    }

    pub(crate) mod inner {
        use super::super::Out;

        pub(crate) fn start(out: Out<u32>) {
            gorun::go!(super::generic(1, out.clone()));
            gorun::go!(super::super::send(2, out.clone()));
            gorun::go!(self::same(3, out.clone()));
            gorun::go!(crate::path::generic(4, out));
        }

        async fn same(value: u32, out: Out<u32>) {
            super::send(value, out);
        }
    }
}

#[test]
fn a_path_of_any_kind_is_a_callee() {
    assert_eq!(sent(path::inner::start), [1, 2, 3, 4]);
    let values = sent(|out| {
        go!(path::generic::<u8>(1, out.clone()));
        go!(path::generic::<u8>(2, out.clone(),));
        go!(path::generic(3, out),);
    });
    assert_eq!(values, [1, 2, 3]);
}

trait Deliver {
    fn deliver(self, out: Out<u32>);
    fn deliver_later(self, out: Out<u32>) -> impl Future<Output = ()> + Send;
}

impl Deliver for u32 {
    fn deliver(self, out: Out<u32>) {
        send(self, out);
    }
    async fn deliver_later(self, out: Out<u32>) {
        send(self, out);
    }
}

#[test]
fn a_function_of_a_trait_is_a_callee() {
    let values = sent(|out| {
        go!(<u32 as Deliver>::deliver(1, out.clone()));
        go!(<u32 as Deliver>::deliver_later(2, out.clone()));
        go!(Deliver::deliver(3, out));
    });
    assert_eq!(values, [1, 2, 3]);
}

struct Typed<T>(std::marker::PhantomData<T>);

impl<T> Typed<T> {
    async fn new(value: T, out: Out<T>) -> Self {
        send(value, out);
        Self(std::marker::PhantomData)
    }
}

#[test]
fn a_function_of_a_generic_type_is_a_callee() {
    let values = sent(|out| {
        go!(Typed::<u8>::new(1, out.clone()));
        go!(Typed::new(2, out));
    });
    assert_eq!(values, [1, 2]);
}

#[test]
fn an_expression_of_any_kind_is_a_callee() {
    struct Handlers {
        h: fn(u32, Out<u32>),
        shared: Arc<dyn Fn(u32, Out<u32>) + Send + Sync>,
    }
    impl Handlers {
        fn start(&self, out: Out<u32>) {
            go!((self.h)(1, out.clone()));
            go!(self.shared.clone()(2, out));
        }
    }
    fn make() -> impl FnOnce(u32, Out<u32>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        |value, out| Box::pin(send_async(value, out))
    }
    let values = sent(|out| {
        Handlers { h: send, shared: Arc::new(send) }.start(out.clone());
        let handlers: [fn(u32, Out<u32>); 1] = [send];
        go!(handlers[0](3, out.clone()));
        go!(make()(4, out.clone()));
        go!((|value, out| send(value, out))(5, out.clone()));
        go!((async |value, out| send(value, out))(6, out.clone()));
        let mut calls = 6;
        go!((move |out| {
            calls += 1;
            send(calls, out)
        })(out.clone()));
        go!({ send }(8, out.clone()));
        go!(vec![send][0](9, out));
    });
    assert_eq!(values, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[derive(Clone)]
struct Receiver {
    inner: Arc<Inner>,
}

struct Inner(u32);

impl Inner {
    async fn by_reference(&self, out: Out<u32>) {
        std::future::ready(()).await;
        send(self.0, out);
    }
    async fn by_mutable_reference(&mut self, out: Out<u32>) {
        self.0 += 1;
        std::future::ready(()).await;
        send(self.0, out);
    }
    async fn by_arc(self: Arc<Self>, out: Out<u32>) {
        send(self.0, out);
    }
    fn generic<T: Into<u32>, F>(&self, value: T, then: F)
    where
        F: Fn(u32),
    {
        then(self.0 + value.into());
    }
    #[allow(clippy::extra_unused_type_parameters)]
    fn itself<T>(self: Arc<Self>) -> Arc<Self> {
        self
    }
    fn method<T>(&self, value: T) -> impl FnOnce(Out<T>) + use<T> {
        |out| send(value, out)
    }
}

#[test]
fn a_receiver_of_any_kind_goes_to_the_goroutine() {
    let receiver = Receiver { inner: Arc::new(Inner(1)) };
    let values = sent(|out| {
        let arc = receiver.inner.clone();
        go!(arc.clone().by_reference(out.clone()));
        go!(arc.by_reference(out.clone()));
        go!(receiver.inner.clone().by_reference(out.clone()));
        go!(receiver.clone().inner.by_arc(out.clone()));
        go!(Inner(2).by_reference(out.clone()));
        go!(Inner(2).by_mutable_reference(out.clone()));
        let listed = [&Inner(4)];
        go!(listed[0].by_reference(out));
    });
    assert_eq!(values, [1, 1, 1, 1, 2, 3, 4]);
}

#[test]
fn the_generic_arguments_of_a_method_are_told_from_the_rest_of_the_call() {
    let inner = Arc::new(Inner(1));
    let values = sent(|out| {
        let then = |out: &Out<u32>| {
            let out = out.clone();
            move |value| send(value, out.clone())
        };
        go!(inner.clone().generic::<u8, _>(1, then(&out)));
        go!(inner.clone().generic::<<[u8; 1] as IntoIterator>::Item, _>(2, then(&out)));
        // A callee that ends in a call of a method with generic arguments.
        go!(inner.method::<u32>(4)(out.clone()));
        // And a receiver.
        go!(inner.clone().itself::<u8>().by_reference(out));
    });
    assert_eq!(values, [1, 2, 3, 4]);

    let vectors = sent(|out| go!(inner.clone().method::<Vec<Vec<u8>>>(vec![])(out)));
    assert_eq!(vectors, [Vec::<Vec<u8>>::new()]);
    let vectors = sent(|out| go!(Deliverer.vectors::<Vec<Vec<u8>>>(vec![], out)));
    assert_eq!(vectors, [Vec::<Vec<u8>>::new()]);
    let vectors = sent(|out| go!(Deliverer.vectors::<Vec<u8>>(vec![], out)));
    assert_eq!(vectors, [Vec::<u8>::new()]);
}

struct Deliverer;

impl Deliverer {
    async fn vectors<T>(&self, value: T, out: Out<T>) {
        send(value, out);
    }
}

#[test]
fn arguments_of_any_number_keep_their_order() {
    #[allow(clippy::too_many_arguments)]
    fn all(
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: u8,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: u8,
        k: u8,
        l: u8,
        m: u8,
        n: u8,
        o: u8,
        out: Out<Vec<u8>>,
    ) {
        send(vec![a, b, c, d, e, f, g, h, i, j, k, l, m, n, o], out);
    }
    let order = sent(|out| go!(all(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, out)));
    assert_eq!(order, [(1..=15).collect::<Vec<u8>>()]);
}

#[test]
fn an_argument_is_coerced_to_the_parameter() {
    async fn deliver(bytes: &[u8], then: Box<dyn Fn(u8) + Send>) {
        then(bytes[1]);
    }
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1, 2]);
    let bytes = sent(|out| go!(deliver(&BYTES, Box::new(move |byte| send(byte, out.clone())))));
    assert_eq!(bytes, [2]);
}

#[test]
fn an_async_block_runs() {
    let values = sent(|out| {
        let to = out.clone();
        go!(async move { send(1, to) });
        go!(async { send(2, out) });
    });
    assert_eq!(values, [1, 2]);
}

#[test]
fn a_method_call_on_an_async_block_is_a_method_call() {
    struct Twice<F>(F);
    trait Then: Sized {
        fn then_send(self, out: Out<u32>) -> Twice<(Self, Out<u32>)> {
            Twice((self, out))
        }
    }
    impl<F: Future> Then for F {}
    impl<F: Future<Output = u32> + Send + 'static> IntoFuture for Twice<(F, Out<u32>)> {
        type Output = ();
        type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
        fn into_future(self) -> Self::IntoFuture {
            let (future, out) = self.0;
            Box::pin(async move { send(future.await, out) })
        }
    }
    assert_eq!(sent(|out| go!(async { 3 }.then_send(out))), [3]);
    assert_eq!(sent(|out| go!(async move { 3 }.then_send(out))), [3]);
}

#[test]
fn a_closure_runs_and_its_future_is_awaited() {
    let values = sent(|out| {
        let [a, b, c, d, e, f] = std::array::from_fn(|_| out.clone());
        go!(move || send(1, a));
        go!(|| send(2, b));
        go!(move || send_async(3, c));
        go!(async move || send(4, d));
        go!(async || send(5, e));
        go!(move || send(6, f),);
    });
    assert_eq!(values, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_variable_of_any_kind_that_can_run_runs() {
    let values = sent(|out| {
        let [a, b, c, d] = std::array::from_fn(|_| out.clone());
        let future = send_async(1, a);
        go!(future);
        let boxed: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(send_async(2, b));
        go!(boxed);
        let closure = move || send(3, c);
        go!(closure);
        let closure = async move || send(4, d);
        go!(closure);
        struct Holder<F> {
            future: F,
        }
        let holder = Holder { future: send_async(5, out) };
        go!(holder.future);
    });
    assert_eq!(values, [1, 2, 3, 4, 5]);
}

#[test]
fn a_fn_without_arguments_runs_without_being_called() {
    static OUT: OnceLock<Out<u32>> = OnceLock::new();
    async fn nullary() {
        send(1, OUT.get().unwrap().clone());
    }
    let value = block_on(async {
        let (out, mut sent) = unbounded();
        OUT.set(out).unwrap();
        go!(nullary);
        sent.next().await
    });
    assert_eq!(value, Some(1));
}

#[test]
fn an_expression_of_any_kind_that_makes_a_future_runs() {
    let values = sent(|out| {
        let flag = out.is_closed();
        go!(if flag { send_async(0, out.clone()) } else { send_async(1, out.clone()) });
        go!(match flag {
            true => send_async(0, out.clone()),
            false => send_async(2, out.clone()),
        });
        go!({ send_async(3, out.clone()) });
        go!({ 0u32 }.deliver(out.clone()));
        go!(*Box::new(send_async(4, out.clone())));
        go!((send_async(5, out.clone())));
        go!(Box::pin(send_async(6, out.clone())));
        let list = [send_async(7, out)];
        go!(list.into_iter().next().unwrap());
    });
    assert_eq!(values, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// A value that is not `Send` and tells when it is dropped.
struct Told(Out<bool>, #[allow(dead_code)] Rc<()>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.unbounded_send(in_caller()).unwrap();
    }
}

#[test]
fn a_result_that_is_not_send_is_dropped_in_the_goroutine() {
    fn plain(out: Out<bool>) -> Told {
        Told(out, Rc::new(()))
    }
    async fn later(out: Out<bool>) -> Told {
        plain(out)
    }
    fn fallible(out: Out<bool>) -> Option<Told> {
        Some(plain(out))
    }
    let drops = sent(|out| {
        flagged!(go!(plain(out.clone())));
        flagged!(go!(later(out.clone())));
        flagged!(go!(fallible(out.clone())));
        flagged!(go!(move || plain(out)));
    });
    assert_eq!(drops, [false; 4]);
}

#[test]
#[allow(unused_must_use)]
fn an_ignored_result_of_any_kind_is_dropped_in_the_goroutine() {
    fn plain(out: Out<bool>) -> Result<(), Told> {
        Err(Told(out, Rc::new(())))
    }
    async fn later(out: Out<bool>) -> Result<(), Told> {
        plain(out)
    }
    let drops = sent(|out| {
        flagged!(go!(plain(out.clone())));
        flagged!(go!(later(out)));
    });
    assert_eq!(drops, [false; 2]);
}

#[test]
fn what_a_call_returns_is_awaited_if_it_can_become_a_future() {
    struct Later(Out<u32>);
    impl IntoFuture for Later {
        type Output = ();
        type IntoFuture = Ready<()>;
        fn into_future(self) -> Ready<()> {
            send(1, self.0);
            ready(())
        }
    }
    assert_eq!(sent(|out| go!(Later(out))), [1]);
    assert_eq!(sent(|out| go!(move || Later(out))), [1]);
    assert_eq!(
        sent(|out| {
            let later = Later(out);
            go!(later)
        }),
        [1]
    );
}

#[test]
fn in_generic_code_the_bounds_say_whether_a_future_is_awaited() {
    fn unknown<R>(f: impl FnOnce() -> R + Send + 'static) {
        go!(f());
    }
    fn known<R: Future + Send>(f: impl FnOnce() -> R + Send + 'static) {
        go!(f());
    }
    fn convertible<R: IntoFuture<IntoFuture: Send>>(f: impl FnOnce() -> R + Send + 'static) {
        go!(f());
    }
    fn awaited<R: Future + Send>(f: impl FnOnce() -> R + Send + 'static) {
        go!(async move { f().await });
    }
    // Dropped without being run: the sender goes with it.
    assert_eq!(sent(|out| unknown(move || send_async(1, out))), []);
    assert_eq!(sent(|out| known(move || send_async(2, out))), [2]);
    assert_eq!(sent(|out| convertible(move || send_async(3, out))), [3]);
    assert_eq!(sent(|out| awaited(move || send_async(4, out))), [4]);
}

#[test]
fn a_fn_that_starts_itself_ends() {
    #[allow(clippy::manual_async_fn)] // It would not compile.
    fn walk(depth: u32, out: Out<u32>) -> impl Future<Output = ()> + Send {
        async move {
            if depth > 0 {
                go!(walk(depth - 1, out.clone()));
                go!(walk(depth - 1, out.clone()));
            }
            send(depth, out);
        }
    }
    assert_eq!(sent(|out| go!(walk(2, out))), [0, 0, 0, 0, 1, 1, 2]);
}

#[test]
fn go_is_an_expression_of_type_unit() {
    fn tail(out: Out<u32>) {
        gorun::go!(send(1, out))
    }
    let values = sent(|out| {
        tail(out.clone());
        match out.is_closed() {
            true => (),
            false => go!(send_async(2, out.clone())),
        }
        let () = go!(send(3, out));
    });
    assert_eq!(values, [1, 2, 3]);
}

#[test]
fn what_another_macro_passes_on_can_be_started() {
    macro_rules! start {
        (expr $e:expr) => {
            gorun::go!($e)
        };
        (argument $e:expr, $out:expr) => {
            gorun::go!(send($e, $out))
        };
        (callee $f:expr, $out:expr) => {
            gorun::go!($f(3, $out))
        };
        (method $receiver:expr, $name:ident, $out:expr) => {
            gorun::go!($receiver.$name($out))
        };
        ($($t:tt)*) => {
            gorun::go!($($t)*)
        };
    }
    let values = sent(|out| {
        start!(expr send_async(1, out.clone()));
        start!(argument 1 + 1, out.clone());
        start!(callee send, out.clone());
        start!(method 2 + 2, deliver, out.clone());
        start!(send(5, out));
    });
    assert_eq!(values, [1, 2, 3, 4, 5]);
}

#[test]
fn variables_of_the_caller_are_not_taken_for_those_of_the_expansion() {
    let values = sent(|out| {
        let (callee, receiver, arg, value, task, form) = (send, 1u32, 2, 3, 4, 5);
        go!(callee(receiver, out.clone()));
        go!(receiver.deliver(out.clone()));
        go!(send(arg + value, out.clone()));
        go!(async move { send(task + form, out) });
    });
    assert_eq!(values, [1, 1, 5, 9]);
}

#[test]
fn outside_a_runtime_the_panic_names_the_line_of_go() {
    thread_local! {
        static LINE: Cell<Option<u32>> = const { Cell::new(None) };
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() == Some("outside") {
            LINE.set(info.location().filter(|at| at.file() == file!()).map(|at| at.line()));
        } else {
            previous(info);
        }
    }));
    let outside = |go: fn()| {
        let panic = move || {
            let panic = catch_unwind(AssertUnwindSafe(go)).unwrap_err();
            (panic.downcast::<String>().map(|text| *text), LINE.get())
        };
        let thread = std::thread::Builder::new().name("outside".into()).spawn(panic);
        let (message, line) = thread.unwrap().join().unwrap();
        let message = message.unwrap_or_else(|other| other.downcast::<&str>().unwrap().to_string());
        assert!(message.contains("block_on") && message.contains("Handle"), "{message}");
        line.expect("a panic in this file")
    };
    let here = line!();
    assert_eq!(outside(|| go!(std::mem::drop(1))), here + 1);
    assert_eq!(outside(|| go!(1u32.deliver(unbounded().0))), here + 2);
    assert_eq!(outside(|| go!(async {})), here + 3);
    assert_eq!(outside(|| go!(|| ())), here + 4);
}
