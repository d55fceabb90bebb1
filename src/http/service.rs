//! What answers requests.

#![forbid(unsafe_code)]

use std::error::Error;
use std::future::Future;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;

/// A service of `hyper` that a server can use: each connection has a clone of it.
///
/// It is implemented for all that `hyper::service::Service` is implemented for, if requests, answers and
/// errors have the right types.
pub trait HttpService: Clone + Send + 'static {
    /// The body of an answer.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Why there is no answer: the connection ends.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// The answer to come.
    type Future: Future<Output = Result<Response<Self::Body>, Self::Error>> + Send + 'static;

    /// Answers a request.
    #[doc(hidden)]
    fn answer(&self, request: Request<Incoming>) -> Self::Future;
}

impl<S, B> HttpService for S
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
    type Error = S::Error;
    type Future = S::Future;

    fn answer(&self, request: Request<Incoming>) -> S::Future {
        self.call(request)
    }
}

/// What [`serve`](super::serve) takes: services of `hyper`, such as `service_fn` makes, and those of
/// `tower`, such as an `axum::Router`.
///
/// `Kind` says which one it is, and the compiler finds that.
pub trait IntoService<Kind> {
    /// A service of `hyper`.
    type Service: HttpService;

    /// Makes it.
    fn into_service(self) -> Self::Service;
}

/// Services of `hyper`.
#[derive(Debug)]
pub enum HyperKind {}

/// Services of `tower`.
#[derive(Debug)]
pub enum TowerKind {}

impl<S: HttpService> IntoService<HyperKind> for S {
    type Service = S;

    fn into_service(self) -> S {
        self
    }
}

impl<S> IntoService<TowerKind> for S
where
    S: tower_service::Service<Request<Incoming>>,
    TowerToHyperService<S>: HttpService,
{
    type Service = TowerToHyperService<S>;

    fn into_service(self) -> Self::Service {
        TowerToHyperService::new(self)
    }
}
