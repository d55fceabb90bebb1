//! `select!`: the forms it takes, and what they become.

#![forbid(unsafe_code)]

pub(crate) mod case_kinds;
pub(crate) mod cases;
pub mod dispatch;
pub(crate) mod future;
pub(crate) mod locks;
pub(crate) mod order;

/// Waits until one of several things can happen, and does that one: Go's `select` statement.
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
/// | `tx.send_from(&mut option)` | likewise; if another case happens the value stays in the option | `Ok(())`, or an error |
/// | any other (anything that is [`IntoFuture`](std::future::IntoFuture)) | when it is ready | its output |
///
/// If several cases can happen, one of them is chosen at random, each with the same chance. If none
/// can, the `select!` waits for the first that can.
///
/// The pattern is any that a `let` takes, `ref`, `mut` and `name @ ..` included, where a reference lives
/// as long as the body. It has to match always: of one that may not, `Some(n) = rx.recv() => f(n)`,
/// make `n = rx.recv() => match n { .. }`. A body is any expression; all bodies have the type of
/// the `select!`. In them `break`, `continue`, `return`, `?` and `.await` act on what is around the
/// `select!`. The comma after a body in braces may be left out (but not if another macro has parsed the
/// body already, as a `$body:block`).
///
/// With a `default` the `select!` does not wait: if no case can happen at once, the body of `default` is
/// run. Then it has no `.await` in it, and can be used in a plain `fn` (where other futures than those
/// of channels are polled once, with a waker that does nothing).
///
/// # Evaluation
///
/// First all conditions, in order; then the futures of the enabled cases, in order; a case whose
/// condition is `false` is disabled, and its future not made. What the expressions create on the way,
/// as the receiver in `time::after(d).recv()`, lives until the `select!` has chosen, save in cases with
/// a condition, where it has to be put in a variable before. Before the body runs all the futures are
/// dropped, so it may use what they borrowed.
///
/// If all cases are disabled, or there are none, the `select!` waits for ever, as in Go, or runs
/// `default`.
///
/// # Exactly one
///
/// Exactly one case happens: a value is taken from one channel only, and sent into one channel only,
/// also if several `select!`s face each other. This holds for cases written as calls of `recv`, `send`
/// and `send_from`, in whose place the macro sees the types [`Recv`](crate::chan::Recv),
/// [`Send`](crate::chan::Send) and [`SendFrom`](crate::chan::SendFrom). Any other future, also an
/// `async fn` that receives, is merely dropped if another case happens; what it has done stays done.
///
/// A `Recv` or `Send` that was polled before gives up its place in the line. To keep it, pass it
/// by reference, pinned: it is a future like any other then.
///
/// # Fairness
///
/// A goroutine that could go on for ever gives way to others every now and then, as with the
/// operations of channels themselves. `default` has nothing to do with that.
///
/// # Cancellation
///
/// A `select!` that is dropped while it waits leaves all the lines. If a case had been committed by
/// then, it has happened: a value that was sent is sent, and one that was received goes to the next
/// receiver, or back to the head of its channel.
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
/// | the channel expressions and values of all cases are evaluated | of all that are enabled |
/// | `time.After(d)` | a future, for example a timer's, is a case itself |
///
/// # Limits
///
/// A hundred cases or so, by rustc's `recursion_limit`; there can be 128 at most.
///
/// Go counterpart: <https://go.dev/ref/spec#Select_statements>.
///
/// # Examples
///
/// Without waiting, outside of everything:
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

/// The working half of [`select!`].
///
/// `@next` takes one case off the front for each step. What it has got so far stands before, each in
/// parentheses (a step for each case and no more, or the limit on recursion would come too soon; that
/// is why the six rules for cases repeat themselves): the name of the variable with the outcome, which
/// has to be the same in all steps; the conditions, each in a variable from an expansion of its own, and
/// so of its own; the list of the futures, each case wrapped around those before it; the `match` on the
/// outcome, likewise; and the body of `default`. When none is left the last two rules put them together.
///
/// For a pattern that may fail to match, rustc quotes the line of the `let`, comment included.
///
/// A statement's temporaries live to its end: that of `let chosen = ..` covers the wait, and no body.
/// An `if` ends them earlier, so cases without a condition do without.
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
            "`select!` has no `else`. What is to be done when no case can happen at once stands behind \
             `default =>`; when all cases are disabled a `select!` waits for ever, so ask before, \
             `if a || b { select! { .. } } else { .. }`"
        )
    };

    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr => { $($body:tt)* } , $($rest:tt)*) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)*)
            ($crate::__select::And {
                rest: $($futures)*,
                case: ::core::option::Option::Some($crate::__select::kind($future).case()),
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) => {
                    #[allow(unused_mut, clippy::let_unit_value)]
                    let mut value = value; // The pattern may borrow from it, `ref mut` too.
                    #[allow(unused_parens, clippy::let_unit_value)]
                    let ($pattern) = value; // It has to match always: `v = .. => match v { .. }`.
                    { $($body)* }
                }
            })
            $default $($rest)*
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)*)
            ($crate::__select::And {
                rest: $($futures)*,
                case: ::core::option::Option::Some($crate::__select::kind($future).case()),
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) => {
                    #[allow(unused_mut, clippy::let_unit_value)]
                    let mut value = value; // The pattern may borrow from it, `ref mut` too.
                    #[allow(unused_parens, clippy::let_unit_value)]
                    let ($pattern) = value; // It has to match always: `v = .. => match v { .. }`.
                    { $($body)* }
                }
            })
            $default $($rest)*
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)*)
            ($crate::__select::And {
                rest: $($futures)*,
                case: ::core::option::Option::Some($crate::__select::kind($future).case()),
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) => {
                    #[allow(unused_mut, clippy::let_unit_value)]
                    let mut value = value; // The pattern may borrow from it, `ref mut` too.
                    #[allow(unused_parens, clippy::let_unit_value)]
                    let ($pattern) = value; // It has to match always: `v = .. => match v { .. }`.
                    $body
                }
            })
            $default $($($rest)*)?
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr , if $condition:expr => { $($body:tt)* } , $($rest:tt)*) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)* (enabled = $condition))
            ($crate::__select::And {
                rest: $($futures)*,
                case: if enabled {
                    ::core::option::Option::Some($crate::__select::kind($future).case())
                } else {
                    ::core::option::Option::None
                },
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) => {
                    #[allow(unused_mut, clippy::let_unit_value)]
                    let mut value = value; // The pattern may borrow from it, `ref mut` too.
                    #[allow(unused_parens, clippy::let_unit_value)]
                    let ($pattern) = value; // It has to match always: `v = .. => match v { .. }`.
                    { $($body)* }
                }
            })
            $default $($rest)*
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr , if $condition:expr => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)* (enabled = $condition))
            ($crate::__select::And {
                rest: $($futures)*,
                case: if enabled {
                    ::core::option::Option::Some($crate::__select::kind($future).case())
                } else {
                    ::core::option::Option::None
                },
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) => {
                    #[allow(unused_mut, clippy::let_unit_value)]
                    let mut value = value; // The pattern may borrow from it, `ref mut` too.
                    #[allow(unused_parens, clippy::let_unit_value)]
                    let ($pattern) = value; // It has to match always: `v = .. => match v { .. }`.
                    { $($body)* }
                }
            })
            $default $($rest)*
        )
    };
    (@next $chosen:ident ($($conditions:tt)*) ($($futures:tt)*) ($($arms:tt)*) $default:tt
        $pattern:pat = $future:expr , if $condition:expr => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_cases!(
            @next $chosen
            ($($conditions)* (enabled = $condition))
            ($crate::__select::And {
                rest: $($futures)*,
                case: if enabled {
                    ::core::option::Option::Some($crate::__select::kind($future).case())
                } else {
                    ::core::option::Option::None
                },
            })
            (match $chosen {
                $crate::__select::Choice::Before($chosen) => $($arms)*,
                $crate::__select::Choice::Last(value) => {
                    #[allow(unused_mut, clippy::let_unit_value)]
                    let mut value = value; // The pattern may borrow from it, `ref mut` too.
                    #[allow(unused_parens, clippy::let_unit_value)]
                    let ($pattern) = value; // It has to match always: `v = .. => match v { .. }`.
                    $body
                }
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
