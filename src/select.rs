//! `select!`: its syntax and its expansion.

#![forbid(unsafe_code)]

pub(crate) mod case_kinds;
pub(crate) mod cases;
pub mod dispatch;
pub(crate) mod future;
pub(crate) mod locks;
pub(crate) mod order;

/// Waits until one of several cases can happen, and runs that one: Go's `select` statement.
///
/// ```
/// use gorun::{block_on, channel, go, select};
///
/// block_on(async {
///     let (tx, numbers) = channel(0);
///     let (quit_tx, quit) = channel::<()>(0);
///     go!(async move {
///         let (mut a, mut b) = (0, 1);
///         loop {
///             select! {
///                 sent = tx.send(a) => {
///                     sent.unwrap();
///                     (a, b) = (b, a + b);
///                 }
///                 _ = quit.recv() => return,
///             }
///         }
///     });
///     let mut fibonacci = Vec::new();
///     for _ in 0..10 {
///         fibonacci.push(numbers.recv().await.unwrap());
///     }
///     drop(quit_tx);
///     assert_eq!(fibonacci, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
/// });
/// ```
///
/// # Cases
///
/// ```text
/// select! {
///     pattern = future => body,
///     pattern = future, if condition => body,
///     default => body,
/// }
/// ```
///
/// | future | the case happens | the pattern gets |
/// |---|---|---|
/// | `rx.recv()` | when a value is received, or the channel is closed and empty | `Some(value)`, or `None` |
/// | `tx.send(value)` | when the value is sent, or the channel is closed | `Ok(())`, or the error with the value |
/// | `tx.send_from(&mut option)` | as for `send`; if another case happens the value stays in the option | `Ok(())`, or an error |
/// | any other [`IntoFuture`](std::future::IntoFuture) | when it is ready | its output |
///
/// If several cases can happen, the `select!` chooses one at random, each with the same chance. If
/// none can, it waits for the first that can.
///
/// The pattern is any that a `let` takes, including `ref`, `mut` and `name @ ..`; its references
/// live as long as the body. It has to match always. Instead of `Some(n) = rx.recv() => f(n)`,
/// which may not match, write `n = rx.recv() => match n { .. }`. A body is any expression; all
/// bodies have the type of the `select!`. In a body, `break`, `continue`, `return`, `?` and
/// `.await` act on the code around the `select!`. The comma after a body in braces is optional,
/// unless another macro has already parsed the body, as a `$body:block`.
///
/// With a `default` the `select!` does not wait: if no case can happen at once, it runs the body of
/// `default`. Such a `select!` contains no `.await`, so a plain `fn` can use it. It polls futures
/// other than those of channels once, with a waker that does nothing.
///
/// # Evaluation
///
/// The `select!` evaluates all conditions first, in order. Then it evaluates the futures of the
/// enabled cases, in order. A case whose condition is `false` is disabled, and its future is not
/// made. Temporaries of a future's expression, such as the receiver in `time::after(d).recv()`,
/// live until the `select!` has chosen. In a case with a condition they do not: put them in a
/// variable before. All futures are dropped before the body runs, so the body may use what they
/// borrowed.
///
/// If all cases are disabled, or there are none, the `select!` waits for ever, as in Go, or runs
/// `default`.
///
/// # Exactly one
///
/// Exactly one case happens: a value is taken from one channel only, and sent into one channel
/// only, even if several `select!`s face each other. This holds for cases written as calls of
/// `recv`, `send` and `send_from`, because the macro recognises the types
/// [`Recv`](crate::chan::Recv), [`Send`](crate::chan::Send) and
/// [`SendFrom`](crate::chan::SendFrom). Any other future, even an `async fn` that receives, is only
/// dropped if another case happens; its effects remain.
///
/// A `Recv` or `Send` that was polled before gives up its place in the queue. To keep the place,
/// pass the future by reference, pinned: it is then a future like any other.
///
/// # Fairness
///
/// A goroutine that could go on for ever yields to others every now and then, as with the
/// operations of channels. A `default` does not affect that.
///
/// # Cancellation
///
/// A `select!` that is dropped while it waits leaves all wait queues. If a case was committed by
/// then, it has happened: a sent value stays sent, and a received one goes to the next receiver, or
/// back to the head of its channel.
///
/// # Panics
///
/// With the panic of a condition, of a future's expression, or of a future's poll. Nothing has
/// happened at a channel then.
///
/// # Differences from Go
///
/// | Go | gorun |
/// |---|---|
/// | `case v, ok := <-ch:` | `v = rx.recv() =>`, an `Option` |
/// | `case ch <- v:` | `_ = tx.send(v) =>`; an unsent `v` is dropped, `send_from` keeps it |
/// | a `nil` channel disables a case | `, if false` does |
/// | a send on a closed channel panics | the case happens, with an error |
/// | the channel expressions and values of all cases are evaluated | those of the enabled cases are |
/// | `time.After(d)` | any future can be a case, for example a timer |
///
/// # Limits
///
/// About a hundred cases, by rustc's `recursion_limit`; the hard limit is 128.
///
/// Go counterpart: <https://go.dev/ref/spec#Select_statements>.
///
/// # Examples
///
/// Without waiting, outside a runtime:
///
/// ```
/// use gorun::{Receiver, channel, select};
///
/// fn newest(rx: &Receiver<u32>) -> Option<u32> {
///     let mut newest = None;
///     loop {
///         select! {
///             value = rx.recv() => match value {
///                 Some(value) => newest = Some(value),
///                 None => return newest,
///             },
///             default => return newest,
///         }
///     }
/// }
///
/// let (tx, rx) = channel(3);
/// assert_eq!(newest(&rx), None);
/// (1..=3).for_each(|n| tx.try_send(n).unwrap());
/// assert_eq!(newest(&rx), Some(3));
/// ```
///
/// Other futures, and conditions:
///
/// ```
/// use std::future::{pending, ready};
/// use gorun::{block_on, channel, select};
///
/// block_on(async {
///     let (_tx, rx) = channel::<u32>(0);
///     let is_patient = false;
///     let what = select! {
///         _ = rx.recv(), if is_patient => "a value",
///         () = pending() => "never",
///         word = ready("at once") => word,
///     };
///     assert_eq!(what, "at once");
/// });
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($rest:tt)*) => {
        ::core::compile_error!(
            "`select!` chooses at random among the cases that can happen, as Go's `select` does, and \
             has no `biased;`. To prefer a case, ask for it first: `select! { v = first.recv() => .., \
             default => select! { .. } }`"
        )
    };
    ($($cases:tt)*) => {
        $crate::__select_cases!(
            @next chosen () ($crate::__select::Nil) (match chosen {}) () $($cases)*
        )
    };
}

/// The implementation of [`select!`].
///
/// Each step of `@next` takes one case off the front. There is exactly one step for each case, or
/// the recursion limit would come too soon; that is why the three rules for cases, one for each form
/// of a body, repeat themselves. The state precedes the remaining cases, each part in parentheses:
///
/// * the name of the variable with the outcome, which has to be the same in all steps;
/// * the conditions, each in a variable from its own expansion, so that the variables are distinct;
/// * the list of the futures, each case wrapped around those before it;
/// * the `match` on the outcome, nested likewise;
/// * the body of `default`.
///
/// When no case is left, the last two rules combine these parts. Only then do the helpers in them
/// expand, side by side, so they add one level to the recursion.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_cases {
    (@next $chosen:ident $conditions:tt $futures:tt $arms:tt ()
        default => { $($body:tt)* } , $($rest:tt)*) => {
        $crate::__select_cases!(@next $chosen $conditions $futures $arms ({ $($body)* }) $($rest)*)
    };
    (@next $chosen:ident $conditions:tt $futures:tt $arms:tt ()
        default => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_cases!(@next $chosen $conditions $futures $arms ({ $($body)* }) $($rest)*)
    };
    (@next $chosen:ident $conditions:tt $futures:tt $arms:tt ()
        default => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_cases!(@next $chosen $conditions $futures $arms ($body) $($($rest)*)?)
    };
    (@next $chosen:ident $conditions:tt $futures:tt $arms:tt ($default:expr)
        default => $($rest:tt)*) => {
        ::core::compile_error!("a `select!` has one `default` at most: write one, with both bodies in it")
    };
    (@next $chosen:ident $conditions:tt $futures:tt $arms:tt $default:tt
        else => $($rest:tt)*) => {
        ::core::compile_error!(
            "`select!` has no `else`. Write `default => ..` for the case that nothing can happen at \
             once. A `select!` whose cases are all disabled waits for ever, so test the conditions \
             first: `if a || b { select! { .. } } else { .. }`"
        )
    };

    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr $(, if $condition:expr)? => { $($body:tt)* } , $($rest:tt)*) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)* $((enabled = $condition))?)
            ($crate::__select::And {
                rest: $($futures)*,
                case: $crate::__select_case!(enabled, $future $(, $condition)?),
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) =>
                    $crate::__select_body!(value, $pattern, { $($body)* }),
            })
            $default $($rest)*
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr $(, if $condition:expr)? => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)* $((enabled = $condition))?)
            ($crate::__select::And {
                rest: $($futures)*,
                case: $crate::__select_case!(enabled, $future $(, $condition)?),
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) =>
                    $crate::__select_body!(value, $pattern, { $($body)* }),
            })
            $default $($rest)*
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr $(, if $condition:expr)? => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)* $((enabled = $condition))?)
            ($crate::__select::And {
                rest: $($futures)*,
                case: $crate::__select_case!(enabled, $future $(, $condition)?),
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) =>
                    $crate::__select_body!(value, $pattern, $body),
            })
            $default $($($rest)*)?
        )
    };

    (@next $chosen:ident ($(($enabled:ident = $condition:expr))*) ($($futures:tt)*) ($($arms:tt)*)
        ()) => {{
        #[allow(unused_imports)]
        use $crate::__select::OtherFuture as _;
        $(let $enabled: bool = $condition;)*
        let $chosen = $crate::__select::wait($($futures)*).await;
        #[allow(unreachable_code)]
        {
            $($arms)*
        }
    }};
    (@next $chosen:ident ($(($enabled:ident = $condition:expr))*) ($($futures:tt)*) ($($arms:tt)*)
        ($default:expr)) => {{
        #[allow(unused_imports)]
        use $crate::__select::OtherFuture as _;
        $(let $enabled: bool = $condition;)*
        let $chosen = $crate::__select::try_once($($futures)*);
        #[allow(unreachable_code)]
        match $chosen {
            ::core::option::Option::Some($chosen) => $($arms)*,
            ::core::option::Option::None => $default,
        }
    }};
    (@next $chosen:ident $conditions:tt $futures:tt $arms:tt $default:tt $($rest:tt)+) => {
        ::core::compile_error!(
            "a case of `select!` is `pattern = future => body`, `pattern = future, if condition => \
             body` or `default => body`"
        )
    };
}

/// The future of one case, which may be disabled.
///
/// A statement's temporaries live to its end: those of `let chosen = ..` live through the wait, but
/// not into a body. An `if` ends them earlier, so a case without a condition expands without one.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_case {
    ($enabled:ident, $future:expr) => {
        ::core::option::Option::Some($crate::__select::kind($future).case())
    };
    ($enabled:ident, $future:expr, $condition:expr) => {
        if $enabled {
            ::core::option::Option::Some($crate::__select::kind($future).case())
        } else {
            ::core::option::Option::None
        }
    };
}

/// The body of one case.
///
/// For a pattern that may fail to match, rustc quotes the line of the `let`, comment included.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_body {
    ($value:ident, $pattern:pat, $($body:tt)*) => {{
        #[allow(unused_mut, clippy::let_unit_value)]
        let mut value = $value; // The pattern may borrow from it, `ref mut` too.
        #[allow(unused_parens, clippy::let_unit_value)]
        let ($pattern) = value; // This pattern must always match. Write `v = .. => match v { .. }`.
        $($body)*
    }};
}
