//! Runs a function in Lambda: sets up logging and a single-threaded runtime, starts and serves.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, TryFutureExt};
use http::HeaderMap;
use lambda_http::{Adapter, Body, Request, Response, Service, service_fn};
use lambda_runtime::{Context, LambdaEvent};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::limits;
use crate::platform::{
    config::{Env, StartError},
    http_event,
    observe::{self, Completion},
};

/// Starts a function and serves its HTTP requests. If the configuration is invalid, it logs the
/// error and exits.
pub fn serve<S, F>(
    start: impl AsyncFnOnce(&Env) -> Result<S, StartError>,
    handle: impl Fn(&'static S, Request) -> F + Send + Sync,
) -> ExitCode
where
    S: Sync + 'static,
    F: Future<Output = Response<Body>> + Send,
{
    live(start, async |state| {
        lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
            let answer = http_event::read(&event.payload).map(|request| {
                let handle = service_fn(|request| {
                    let response = handle(state, request);
                    async { Ok::<_, Infallible>(response.await) }
                });
                Adapter::from(handle).call(LambdaEvent::new(request, event.context))
            });
            async { Ok::<_, lambda_runtime::Error>(answer?.await?) }
        }))
        .await
    })
}

/// Starts a function and runs it on its schedule, with the event and the deadline of each
/// invocation. A failed run is a failed invocation.
pub fn tick<S, F, R, E>(
    start: impl AsyncFnOnce(&Env) -> Result<S, StartError>,
    run: impl Fn(&'static S, Value, Instant) -> F + Send + Sync,
) -> ExitCode
where
    S: Sync + 'static,
    F: Future<Output = Result<R, E>> + Send,
    R: Serialize + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    live(start, async |state| {
        lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
            let (event, context) = event.into_parts();
            let done = catch_panic(run(state, event, deadline(&context, limits::RECOVER_FUNCTION)));
            async move {
                let (headers, context) = (HeaderMap::new(), Some(&context));
                let done = async { done.await?.map_err(lambda_runtime::Error::from) };
                let completion = |done: &Result<_, _>| Completion::Run(done.is_ok());
                observe::invocation("schedule", &headers, context, done, completion).await
            }
        }))
        .await
    })
}

#[derive(Debug, thiserror::Error)]
#[error("panic")]
pub struct Panic;

/// Runs `work` and catches a panic, so that the invocation is still logged and its caller has a
/// response. Asserting unwind safety is sound because lasting state is only in the tables.
///
/// # Errors
/// [`Panic`].
pub fn catch_panic<R>(work: impl Future<Output = R>) -> impl Future<Output = Result<R, Panic>> {
    // Boxed at once, because such a future is tens of kilobytes long and its callers move it often.
    AssertUnwindSafe(Box::pin(work)).catch_unwind().map_err(|_| {
        observe::outcome("panic");
        Panic
    })
}

/// Logs the location of a panic, but not its message, because that may quote a shopper's data.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic");
}

/// The time by which an invocation must end, `longest` from now at most. A deadline in the past
/// is ignored, because tools that emulate Lambda may send one.
pub fn deadline(context: &Context, longest: Duration) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now());
    let left = left.map_or(longest, |left| left.saturating_sub(limits::LAST_LINES));
    Instant::now() + left.min(longest)
}

/// The source of this process's metrics, from Lambda's environment variables.
fn source(env: &Env) -> observe::Source {
    let or = |name, default| env.get(name).unwrap_or(default);
    let function = or("AWS_LAMBDA_FUNCTION_NAME", "local");
    let version = or("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    observe::Source {
        namespace: or("METRICS_NAMESPACE", "amazon-pay").to_owned(),
        version: format!("{function}:{version}"),
    }
}

fn live<S: 'static>(
    start: impl AsyncFnOnce(&Env) -> Result<S, StartError>,
    serve: impl AsyncFnOnce(&'static S) -> Result<(), lambda_runtime::Error>,
) -> ExitCode {
    let env = Env::process();
    observe::set_source(source(&env));
    log(env.log_level(), std::io::stdout).init();
    std::panic::set_hook(Box::new(log_panic));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let state: &'static S = match start(&env).await {
            // The process has one state until it ends.
            Ok(state) => Box::leak(Box::new(state)),
            Err(error) => return failed(&error),
        };
        match serve(state).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&*error),
        }
    })
}

/// Logs events as lines of JSON, and prints metrics. Libraries log from `warn` only, because at
/// lower levels they log the contents of requests.
pub fn log<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let ours = [
        "shared",
        "payment_methods",
        "payments",
        "checkout_sessions",
        "orders",
        "recover",
        "tokens",
        "webhooks",
    ];
    let levels = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(observe::METRICS, LevelFilter::OFF)
        .with_targets(ours.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer.clone());
    // Each metric is a complete JSON document, so it is printed unchanged.
    let metrics = tracing_subscriber::fmt::layer()
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false)
        .with_writer(writer);
    let only_metrics = Targets::new().with_target(observe::METRICS, LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .with(metrics.with_filter(only_metrics))
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(%error, "function stopped");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_name_the_version_as_the_template_s_alarms_do() {
        let lambda = [
            ("METRICS_NAMESPACE", "shop"),
            ("AWS_LAMBDA_FUNCTION_NAME", "shop-PaymentsFunction-1"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ];
        let env = lambda.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = source(&env.into_iter().collect());
        assert_eq!(source.namespace, "shop");
        assert_eq!(source.version, "shop-PaymentsFunction-1:7");
    }
}
