//! The functions that the expansion of [`go!`](crate::go!) calls.
//!
//! `go!` depends on types that it meets only as the type of an expression: a call may or may not
//! have returned a future. Each question is a method call on `&&&Type<T>`, which several traits
//! answer. Method lookup prefers the trait that is implemented for more references, if its bounds
//! hold. The lookup happens at the line of `go!`, with the bounds known there.
#![forbid(unsafe_code)]
#![allow(missing_docs)] // Public for the macro only, and hidden.

use core::future::{Ready, ready};
use core::marker::PhantomData;

// The interface to the scheduler.
pub use crate::spawn::detach;

pub struct Type<T>(PhantomData<fn() -> T>);

impl<T> Type<T> {
    pub fn of(_: &T) -> Self {
        Self(PhantomData)
    }
}

// Is a form that is not a call a future, a closure, or something else?

pub trait FormFuture {
    fn form(&self) -> Awaitable;
}
pub struct Awaitable;
impl<T: IntoFuture> FormFuture for &&Type<T> {
    fn form(&self) -> Awaitable {
        Awaitable
    }
}
impl Awaitable {
    pub fn run<T: IntoFuture>(self, future: T) -> T {
        future
    }
}

pub trait FormClosure {
    fn form(&self) -> Closure;
}
pub struct Closure;
impl<T: FnOnce() -> R, R> FormClosure for &Type<T> {
    fn form(&self) -> Closure {
        Closure
    }
}
impl Closure {
    pub fn run<T: FnOnce() -> R, R>(self, closure: T) -> R {
        closure()
    }
}

pub trait FormOther {
    fn form(&self) -> Other;
}
pub struct Other;
impl<T> FormOther for Type<T> {
    fn form(&self) -> Other {
        Other
    }
}
impl Other {
    pub fn run<T: Startable>(self, _: T) {}
}

#[diagnostic::on_unimplemented(
    message = "`go!` cannot start a value of type `{Self}`",
    label = "neither a call, nor a future, nor a closure without arguments",
    note = "start a function by calling it, `go!(f(x))`, and statements in a block, `go!(async {{ .. }})`"
)]
pub trait Startable {}

// What did the call return?

pub trait ReturnsFuture<By> {
    fn returns(&self) -> AFuture;
}
pub struct AFuture;
impl<T: Task<By>, By> ReturnsFuture<By> for &&Type<T> {
    fn returns(&self) -> AFuture {
        AFuture
    }
}
impl AFuture {
    pub fn into_task<T: Task<By>, By>(self, future: T) -> T::Task {
        future.into_task()
    }
}

pub trait ReturnsResult {
    fn returns(&self) -> AResult;
}
pub struct AResult;
impl<T, E> ReturnsResult for &Type<Result<T, E>> {
    fn returns(&self) -> AResult {
        AResult
    }
}
impl AResult {
    /// The `Result` may not be `Send`. Only a placeholder remains, for the warning.
    pub fn into_task<T>(self, result: T) -> Ready<Result<(), ()>> {
        drop(result);
        ready(Ok(()))
    }
}

pub trait ReturnsValue {
    fn returns(&self) -> AValue;
}
pub struct AValue;
impl<T> ReturnsValue for Type<T> {
    fn returns(&self) -> AValue {
        AValue
    }
}
impl AValue {
    pub fn into_task<T>(self, value: T) -> Ready<()> {
        drop(value);
        ready(())
    }
}

/// The result of a call, which may be a future.
///
/// Where the result type is not determined, as in `|| panic!()`, method lookup takes it for a
/// future. Only later does it become `!`, or `()` in editions before 2024. So these two are tasks
/// as well. `By` keeps the three implementations apart.
pub trait Task<By> {
    type Task: Future;
    fn into_task(self) -> Self::Task;
}
pub struct ByFuture;
impl<T: IntoFuture> Task<ByFuture> for T {
    type Task = T::IntoFuture;
    fn into_task(self) -> Self::Task {
        self.into_future()
    }
}
pub struct ByUnit;
impl Task<ByUnit> for () {
    type Task = Ready<()>;
    fn into_task(self) -> Self::Task {
        ready(())
    }
}
pub struct ByNever;
impl Task<ByNever> for Never {
    type Task = Ready<()>;
    fn into_task(self) -> Self::Task {
        self
    }
}

// Stable Rust cannot name `!` yet.
type Never = <fn() -> ! as Function>::Output;
pub trait Function {
    type Output;
}
impl<T> Function for fn() -> T {
    type Output = T;
}
