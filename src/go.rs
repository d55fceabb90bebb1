//! `go!`: its syntax and its expansion.

#![forbid(unsafe_code)]

pub mod dispatch;

/// Starts a goroutine: Go's `go` statement.
///
/// `go!(f(x))` evaluates `f` and `x` in the calling goroutine, and makes the call `f(x)` in a new
/// goroutine. The result of the call is dropped there. There is no handle, so no code can wait for
/// it; use [`spawn`](crate::spawn()) for that.
///
/// The Go specification describes the statement: <https://go.dev/ref/spec#Go_statements>. As in Go,
/// the calling goroutine evaluates the function value and the arguments, and the result of the call
/// is discarded.
///
/// ```
/// use futures::StreamExt;
/// use futures::channel::mpsc::{UnboundedSender, unbounded};
/// use gorun::go;
///
/// async fn square(x: u64, out: UnboundedSender<u64>) {
///     out.unbounded_send(x * x).unwrap();
/// }
///
/// gorun::block_on(async {
///     let (out, squares) = unbounded();
///     for x in 1..=3 {
///         go!(square(x, out.clone()));
///     }
///     drop(out);
///     assert_eq!(squares.fold(0, async |sum, x| sum + x).await, 14);
/// });
/// ```
///
/// # Forms
///
/// | form | in the caller, at once | in the goroutine |
/// |---|---|---|
/// | `go!(f(a, b))` | `f`, then `a`, then `b` | the call, and its future if it returns one |
/// | `go!(x.run(a, b))` | `x`, then `a`, then `b` | the call, and its future if it returns one |
/// | `go!(async { .. })`, `go!(async move { .. })` | the captures | the block |
/// | `go!(\|\| ..)`, `go!(move \|\| ..)`, `go!(async move \|\| ..)` | the captures | the call, and its future if it returns one |
/// | `go!(future)` | the expression `future` | the future |
/// | `go!(f)` | the expression `f` | the call `f()`, and its future if it returns one |
///
/// `?`, `return` and `.await` in the parts that the caller evaluates act on the caller. All values
/// that go to the goroutine are moved, and have to be `Send` and `'static`, as for
/// [`spawn`](crate::spawn()).
///
/// ## Calls
///
/// The callee is any callable expression: `f`, `module::f::<T>`, `Type::new`, `<T as Trait>::f`,
/// `(self.handler)`, `handlers[i]`, `make()`, `(|x| ..)`. Its body runs in the goroutine, for an
/// `async fn` and for a plain `fn` alike:
///
/// ```
/// # use gorun::go;
/// use std::thread;
/// use futures::channel::oneshot;
///
/// fn sum(numbers: Vec<u64>, out: oneshot::Sender<u64>) {
///     out.send(numbers.iter().sum()).unwrap();
/// }
///
/// gorun::block_on(async {
///     let (out, total) = oneshot::channel();
///     go!(sum(vec![1, 2, 3], out));
///     assert_eq!(total.await, Ok(6));
/// });
/// ```
///
/// The callee is moved too. If it cannot be moved, from a field behind `&self` or out of a `Vec`,
/// it has to be `Copy`, as a function pointer is, or cloned: `go!(self.handler.clone()(x))`.
///
/// Each argument is put in a variable before the call. So a closure among the arguments does not
/// get its parameter types from the callee, as it would in a plain call. Write the types,
/// `go!(each(list, |x: &Item| x.print()))`, or write the call in a block,
/// `go!(async move { each(list, |x| x.print()).await })`.
///
/// ## Method calls
///
/// The receiver is any expression. The caller evaluates it, and moves it into the goroutine, which
/// calls the method. A method that takes `&self` borrows from the receiver there, so it does not
/// matter how long the caller lives. But the caller loses the receiver. To keep it, share it:
///
/// ```
/// # use gorun::go;
/// use std::sync::Arc;
/// use futures::channel::oneshot;
///
/// struct Counter(u64);
///
/// impl Counter {
///     async fn report(&self, out: oneshot::Sender<u64>) {
///         out.send(self.0).unwrap();
///     }
/// }
///
/// gorun::block_on(async {
///     let counter = Arc::new(Counter(7));
///     let (out, count) = oneshot::channel();
///     go!(counter.clone().report(out));
///     assert_eq!(count.await, Ok(counter.0));
/// });
/// ```
///
/// In a method that takes `&self`, `go!(self.report(out))` does not compile: the goroutine may
/// outlive the borrow.
///
/// ## Blocks, closures and futures
///
/// ```
/// # use gorun::go;
/// use futures::StreamExt;
/// use futures::channel::mpsc::unbounded;
///
/// gorun::block_on(async {
///     let (out, names) = unbounded();
///
///     let to = out.clone();
///     go!(async move { to.unbounded_send("async block").unwrap() });
///
///     let to = out.clone();
///     go!(move || to.unbounded_send("closure").unwrap());
///
///     let to = out.clone();
///     go!(async move || to.unbounded_send("async closure").unwrap());
///
///     let future = async move { out.unbounded_send("future").unwrap() };
///     go!(future);
///
///     let mut names: Vec<_> = names.collect().await;
///     names.sort();
///     assert_eq!(names, ["async block", "async closure", "closure", "future"]);
/// });
/// ```
///
/// The form may be any expression whose value is a future or can become one
/// ([`IntoFuture`](core::future::IntoFuture)), or can be called without arguments. The caller
/// evaluates it: `go!(if fast { a() } else { b() })` calls `a` or `b` in the caller, and awaits the
/// returned future in the goroutine.
///
/// A macro call is an error, because `go!` cannot tell its arguments apart: write
/// `go!(async { println!(..) })`. If another macro passes on a call as one `$call:expr`, `go!` sees
/// an expression instead of a call; that macro should take it as `$($call:tt)*`.
///
/// # The result
///
/// The goroutine drops the result, which need not be `Send`. If a call returns a future (or
/// `IntoFuture`), the goroutine awaits it first. It does not await a future inside another type,
/// such as an `Option`.
///
/// A dropped `Result` gives the warning `unused_must_use` at the line of `go!`, whether an
/// `async fn`, a plain `fn`, a closure or a block returns it. The same holds for every
/// `#[must_use]` type that a future returns. Handle it in the goroutine:
///
/// ```
/// # use gorun::go;
/// use futures::channel::oneshot;
///
/// async fn serve(port: u16) -> Result<(), String> {
///     Err(format!("port {port} is taken"))
/// }
///
/// gorun::block_on(async {
///     let (out, failure) = oneshot::channel();
///     go!(async move {
///         if let Err(error) = serve(80).await {
///             out.send(error).unwrap();
///         }
///     });
///     assert_eq!(failure.await.unwrap(), "port 80 is taken");
/// });
/// ```
///
/// # Generic code
///
/// The compiler decides at the line of `go!` whether a call returns a future. In a generic function
/// it only knows the bounds. Without a bound that makes the result a future, the result is a plain
/// value: it is dropped, and if it is a future it never runs. State the bound, or await the result
/// yourself, which does not compile without the bound:
///
/// ```
/// # use gorun::go;
/// use futures::channel::oneshot;
///
/// fn start<F, R>(f: F)
/// where
///     F: FnOnce() -> R + Send + 'static,
///     R: Future<Output = ()> + Send,
/// {
///     go!(async move { f().await });
/// }
///
/// gorun::block_on(async {
///     let (out, done) = oneshot::channel();
///     start(async move || out.send("ran").unwrap());
///     assert_eq!(done.await, Ok("ran"));
/// });
/// ```
///
/// # Recursion
///
/// An `async fn` that starts itself does not compile: whether its future is `Send` depends on its
/// own body. A plain `fn` that returns the future can state it:
///
/// ```
/// # use gorun::go;
/// use futures::StreamExt;
/// use futures::channel::mpsc::{UnboundedSender, unbounded};
///
/// fn walk(depth: u32, out: UnboundedSender<u32>) -> impl Future<Output = ()> + Send {
///     async move {
///         if depth > 0 {
///             go!(walk(depth - 1, out.clone()));
///             go!(walk(depth - 1, out.clone()));
///         }
///         out.unbounded_send(depth).unwrap();
///     }
/// }
///
/// gorun::block_on(async {
///     let (out, nodes) = unbounded();
///     go!(walk(3, out));
///     assert_eq!(nodes.count().await, 15);
/// });
/// ```
///
/// # Panics
///
/// Outside a runtime, at the line of `go!`. The message names [`block_on`](crate::block_on) and
/// [`Handle`](crate::Handle), which enter a runtime.
///
/// # Errors of the goroutine
///
/// There is no handle, so no code can observe how the goroutine ended. If it panics, the panic is
/// unhandled, and cancels main: see [`UnhandledPanic`](crate::UnhandledPanic).
///
/// # Cancellation
///
/// When main ends, the goroutine is dropped at its next await, or without having run.
///
/// # Limits
///
/// The expansion takes one step for each argument and for each token of the callee or receiver;
/// anything in brackets is one token. rustc's `recursion_limit` bounds the steps: about 120
/// together.
#[macro_export]
macro_rules! go {
    () => {
        ::core::compile_error!(
            "`go!` needs something to run: a call `go!(f(x))`, a method call `go!(x.run())`, \
             `go!(async { .. })`, a closure `go!(|| ..)` or a future"
        )
    };
    ($($form:tt)+) => {
        $crate::__go_form!(@form ($($form)+) $($form)+)
    };
}

/// The implementation of [`go!`], a separate macro so that its rules stay out of the documentation.
///
/// The rules go from the form as written to one `detach(async { .. })`:
///
/// * `@form` looks at the first tokens. It gets the form twice: in parentheses, to pass it on
///   whole, and bare, to match on.
/// * `@split` walks to the last token. A form that ends in `( .. )` is a call, and the part before
///   those parentheses is the callee, or `receiver.method`, or `receiver.method::<..>` (`@generics`
///   checks whether the part after the `<` is that).
/// * `@args` gives each argument a variable. All of them are called `arg`, but each comes from its
///   own expansion, so the variables are distinct.
/// * `@call` and `@value` evaluate the parts that the caller evaluates.
/// * `@goroutine` is the body of the new goroutine.
#[doc(hidden)]
#[macro_export]
macro_rules! __go_form {
    // An async block is not put in a variable first. A captured variable that is awaited is stored
    // twice in the goroutine, as captured and as awaited; that would store the whole block twice,
    // not only its captures. The user's own `async` appears a second time so that errors point to
    // it.
    (@form ($async:tt $block:tt $(,)?) async { $($body:tt)* } $(,)?) => {
        $crate::__go_form!(@goroutine ($async) ($async $block))
    };
    (@form ($async:tt $move:tt $block:tt $(,)?) async move { $($body:tt)* } $(,)?) => {
        $crate::__go_form!(@goroutine ($async $move) ($async $move $block))
    };

    (@form ($($closure:tt)+) $(async)? $(move)? || $($body:tt)+) => {
        $crate::__go_form!(@value $($closure)+)
    };
    (@form $form:tt $(async)? $(move)? | $($rest:tt)+) => {
        ::core::compile_error!(
            "`go!` starts a closure without arguments; give this one its arguments by calling it: \
             `go!((|x| ..)(value))`"
        )
    };

    (@form $form:tt $($path:tt)::+ ! $body:tt $(,)?) => {
        $crate::__go_form!(@macro_call)
    };
    (@form $form:tt :: $($path:tt)::+ ! $body:tt $(,)?) => {
        $crate::__go_form!(@macro_call)
    };
    (@macro_call) => {
        ::core::compile_error!(
            "`go!` cannot start a macro call, whose arguments it cannot evaluate first; \
             put it in a block: `go!(async { println!(..) })`"
        )
    };

    // A unary operator applies to the whole form: `*f(x)` is not a call of `*f`.
    (@form ($($form:tt)+) & $($rest:tt)+) => { $crate::__go_form!(@value $($form)+) };
    (@form ($($form:tt)+) * $($rest:tt)+) => { $crate::__go_form!(@value $($form)+) };
    (@form ($($form:tt)+) ! $($rest:tt)+) => { $crate::__go_form!(@value $($form)+) };
    (@form ($($form:tt)+) - $($rest:tt)+) => { $crate::__go_form!(@value $($form)+) };

    // Parentheses around the form as a whole change nothing.
    (@form $form:tt ($($inner:tt)+) $(,)?) => { $crate::go!($($inner)+) };

    (@form $form:tt $($rest:tt)+) => { $crate::__go_form!(@split $form () $($rest)+) };

    (@split $form:tt ($($callee:tt)+) ($($args:tt)*) $(,)?) => {
        $crate::__go_form!(@args (function $($callee)+) () $($args)*)
    };
    (@split $form:tt $receiver:tt . $method:ident ($($args:tt)*) $(,)?) => {
        $crate::__go_form!(@args (method $receiver $method) () $($args)*)
    };
    (@split $form:tt $receiver:tt . $method:ident :: < $($rest:tt)+) => {
        $crate::__go_form!(@generics $form $receiver $method () $($rest)+)
    };
    (@split $form:tt $receiver:tt . $method:ident :: << $($rest:tt)+) => {
        $crate::__go_form!(@generics $form $receiver $method (<) $($rest)+)
    };
    (@split $form:tt ($($seen:tt)*) $next:tt $($rest:tt)*) => {
        $crate::__go_form!(@split $form ($($seen)* $next) $($rest)*)
    };
    (@split ($($form:tt)+) $seen:tt) => {
        $crate::__go_form!(@value $($form)+)
    };

    // No generic argument has a `.` outside brackets, nor ends in anything but its `>`.
    (@generics $form:tt $receiver:tt $method:ident ($($g:tt)*) > ($($args:tt)*) $(,)?) => {
        $crate::__go_form!(@args (method $receiver $method ::<$($g)*>) () $($args)*)
    };
    (@generics $form:tt $receiver:tt $method:ident ($($g:tt)*) >> ($($args:tt)*) $(,)?) => {
        $crate::__go_form!(@args (method $receiver $method ::<$($g)* > >) () $($args)*)
    };
    (@generics $form:tt ($($receiver:tt)*) $method:ident ($($g:tt)*) ($($args:tt)*) $(,)?) => {
        $crate::__go_form!(@args (function $($receiver)* . $method ::< $($g)*) () $($args)*)
    };
    (@generics $form:tt ($($receiver:tt)*) $method:ident ($($g:tt)*) . $($rest:tt)+) => {
        $crate::__go_form!(@split $form ($($receiver)* . $method ::< $($g)*) . $($rest)+)
    };
    (@generics $form:tt $receiver:tt $method:ident ($($g:tt)*) $next:tt $($rest:tt)*) => {
        $crate::__go_form!(@generics $form $receiver $method ($($g)* $next) $($rest)*)
    };
    (@generics ($($form:tt)+) $receiver:tt $method:ident $g:tt) => {
        $crate::__go_form!(@value $($form)+)
    };

    (@args $callee:tt ($($bound:tt)*) $value:expr $(, $($rest:tt)*)?) => {
        $crate::__go_form!(@args $callee ($($bound)* (arg = $value)) $($($rest)*)?)
    };
    (@args (function $($callee:tt)+) ($(($arg:ident = $value:expr))*)) => {
        $crate::__go_form!(
            @call
            (callee = $($callee)+)
            (callee($($arg),*))
            $(($arg = $value))*
        )
    };
    (@args
        (method ($($receiver:tt)+) $method:ident $($generics:tt)*)
        ($(($arg:ident = $value:expr))*)
    ) => {
        $crate::__go_form!(
            @call
            (receiver = $($receiver)+)
            (receiver.$method $($generics)* ($($arg),*))
            $(($arg = $value))*
        )
    };

    (@call ($target:ident = $($init:tt)+) ($($call:tt)+) $(($arg:ident = $value:expr))*) => {{
        #[allow(unused_parens, unused_braces)]
        let $target = $($init)+;
        $(let $arg = $value;)*
        $crate::__go_form!(@goroutine (async move) ($($call)+) $target)
    }};

    (@value $value:expr $(,)?) => {{
        let value = $value;
        $crate::__go_form!(@goroutine (async move) ({
            use $crate::__go::{FormClosure as _, FormFuture as _, FormOther as _};
            let form = (&&&$crate::__go::Type::of(&value)).form();
            form.run(value)
        }))
    }};

    (@goroutine ($($mode:tt)+) ($($call:tt)+) $($target:ident)?) => {
        $crate::__go::detach($($mode)+ {
            // The returned future may borrow from the receiver or callee.
            $(#[allow(unused_mut)] let mut $target = $target;)?
            // In a block, so that a result that is not `Send` is dropped before the await.
            let task = {
                let out = $($call)+;
                #[allow(unreachable_code)]
                {
                    use $crate::__go::{ReturnsFuture as _, ReturnsResult as _, ReturnsValue as _};
                    let returns = (&&&$crate::__go::Type::of(&out)).returns();
                    returns.into_task(out)
                }
            };
            // A statement, so that rustc warns if it drops a `Result`. In a tuple, because
            // otherwise the warning would advise `let _ = go!(..)`, which changes nothing.
            #[allow(unreachable_code)]
            {
                (task.await,);
            }
        })
    };
}
