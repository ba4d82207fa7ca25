//! An HTTP proxy before a server. A test chooses which calls or answers it loses, delays or
//! replaces.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, header};
use axum::response::IntoResponse;
use futures_util::stream;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use simulator_http::Fault;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// The headers, without those of the connection itself.
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A call that came by.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number since [`Faulty::begin`], from 0.
    pub index: usize,
    /// The path, or for AWS the operation, such as `PutItem`.
    pub name: String,
    pub fault: Option<Fault>,
    pub request: Bytes,
    /// The target's answer. None if the call did not arrive or its answer was not awaited.
    pub reply: Option<Reply>,
}

/// Returns the fault of a call, or None.
pub type Script = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;

/// Changes the body of a request, given the name of its call.
pub type Rewrite = fn(&str, Bytes) -> Bytes;

/// The proxy. It stops when it is dropped.
pub struct Faulty {
    url: String,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

struct Inner {
    /// The URL that receives the calls. Calls wait until it is set.
    target: watch::Sender<Option<String>>,
    http: reqwest::Client,
    rewrite: Option<Rewrite>,
    recording: Mutex<Recording>,
    /// The number of calls on their way.
    on_their_way: watch::Sender<usize>,
}

struct Recording {
    script: Script,
    calls: Vec<Call>,
    /// Counts the calls of `begin`, so that a late answer is not stored with a later run.
    run: usize,
}

/// Time-out of a call to the target.
const LOST: Duration = Duration::from_secs(60);

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

impl Faulty {
    /// Starts the proxy without faults. Calls wait for [`Faulty::lead_to`].
    pub async fn start(rewrite: Option<Rewrite>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = simulator_http::listen::url(&listener).expect("an address");
        let inner = Arc::new(Inner {
            target: watch::channel(None).0,
            http: shared::platform::http_client::build(None).expect("a client"),
            rewrite,
            recording: Mutex::new(Recording {
                script: Box::new(|_| None),
                calls: Vec::new(),
                run: 0,
            }),
            on_their_way: watch::channel(0).0,
        });
        let server = tokio::spawn(run(inner.clone(), listener));
        Self { url, inner, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets the URL that receives the calls, such as `http://127.0.0.1:3002`.
    pub fn lead_to(&self, url: &str) {
        self.inner.target.send_replace(Some(url.trim_end_matches('/').to_owned()));
    }

    /// Forgets the recorded calls, and takes the faults of later calls from `script`.
    pub fn begin(&self, script: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        let mut recording = self.inner.recording();
        recording.script = Box::new(script);
        recording.calls.clear();
        recording.run += 1;
    }

    /// As [`Faulty::begin`], with one fault, for the call with this index.
    pub fn fail_at(&self, index: usize, fault: Fault) {
        self.begin(move |call| (call.index == index).then(|| fault.clone()));
    }

    /// Ends all faults.
    pub fn calm(&self) {
        self.inner.recording().script = Box::new(|_| None);
    }

    /// Waits until no call is on its way, late ones included.
    pub async fn arrived(&self) {
        let mut on_their_way = self.inner.on_their_way.subscribe();
        let none = on_their_way.wait_for(|calls| *calls == 0);
        drop(none.await.expect("a proxy that runs"));
    }

    /// The calls since [`Faulty::begin`].
    pub fn calls(&self) -> Vec<Call> {
        self.inner.recording().calls.clone()
    }
}

/// Counts a call as on its way until it is dropped.
struct OnItsWay(Arc<Inner>);

impl OnItsWay {
    fn new(inner: Arc<Inner>) -> Self {
        inner.on_their_way.send_modify(|calls| *calls += 1);
        Self(inner)
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.on_their_way.send_modify(|calls| *calls -= 1);
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call and returns its run, index and fault.
    fn note(&self, name: String, request: Bytes) -> (usize, usize, Option<Fault>) {
        let mut recording = self.recording();
        let index = recording.calls.len();
        let mut call = Call { index, name, fault: None, request, reply: None };
        call.fault = (recording.script)(&call);
        let fault = call.fault.clone();
        recording.calls.push(call);
        (recording.run, index, fault)
    }

    fn answered(&self, run: usize, index: usize, reply: &Reply) {
        let mut recording = self.recording();
        if recording.run == run
            && let Some(call) = recording.calls.get_mut(index)
        {
            call.reply = Some(reply.clone());
        }
    }

    /// Passes a call on and waits for the answer.
    async fn pass_on(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, Cut> {
        let mut target = self.target.subscribe();
        let base = match target.wait_for(Option::is_some).await {
            Ok(base) => base.clone().unwrap_or_default(),
            Err(_) => return Err(Cut),
        };
        let request =
            self.http.request(method, format!("{base}{path}")).timeout(LOST).headers(headers);
        let response = request.body(body).send().await.map_err(|_| Cut)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers: own(headers), body: response.bytes().await.map_err(|_| Cut)? })
    }
}

async fn run(inner: Arc<Inner>, listener: TcpListener) {
    // Aborts all connections when this task ends.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(inner.clone(), stream));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(inner: Arc<Inner>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| serve(inner.clone(), request));
    // An error means that one of the two sides cut the connection, which is expected here.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn serve(
    inner: Arc<Inner>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Body>, Cut> {
    let (head, body) = request.into_parts();
    let mut body = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Cut)?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let name = match head.headers.get("x-amz-target") {
        Some(target) => String::from_utf8_lossy(target.as_bytes())
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned(),
        None => head.uri.path().to_owned(),
    };
    if let Some(rewrite) = inner.rewrite {
        body = rewrite(&name, body);
    }
    let (run, index, fault) = inner.note(name, body.clone());
    let (method, path, headers) = (head.method, path.to_owned(), own(head.headers));
    // The call arrives even if the caller no longer waits.
    let pass_on = |delay: Duration| {
        let inner = inner.clone();
        let on_its_way = OnItsWay::new(inner.clone());
        tokio::spawn(async move {
            let _on_its_way = on_its_way;
            tokio::time::sleep(delay).await;
            let reply = inner.pass_on(method, &path, headers, body).await;
            if let Ok(reply) = &reply {
                inner.answered(run, index, reply);
            }
            reply
        })
    };
    let now = Duration::ZERO;
    let processed =
        |passed: JoinHandle<Result<Reply, Cut>>| async { passed.await.map_err(|_| Cut).flatten() };
    match fault {
        None => processed(pass_on(now)).await.map(respond),
        Some(Fault::DropBefore) => Err(Cut),
        Some(Fault::DropAfter) => processed(pass_on(now)).await.and(Err(Cut)),
        Some(Fault::DropThenArrive(delay)) => {
            pass_on(delay);
            Err(Cut)
        }
        Some(Fault::ArriveLate(delay)) => processed(pass_on(delay)).await.map(respond),
        Some(Fault::AnswerLate(delay)) => {
            let reply = processed(pass_on(now)).await?;
            tokio::time::sleep(delay).await;
            Ok(respond(reply))
        }
        Some(Fault::Truncated) => processed(pass_on(now)).await.map(truncated),
        Some(Fault::Instead(answer)) => Ok(answer.into_response()),
        Some(Fault::Afterwards(answer)) => {
            processed(pass_on(now)).await.map(|_| answer.into_response())
        }
    }
}

/// Removes the headers that belong to one connection; both sides frame the body themselves.
fn own(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}

fn respond(reply: Reply) -> Response<Body> {
    let body = Body::from(reply.body.clone());
    response(reply, body)
}

/// Declares the length of the whole body and sends half of it.
fn truncated(reply: Reply) -> Response<Body> {
    let (length, half) = (reply.body.len(), reply.body.slice(..reply.body.len() / 2));
    let body = Body::from_stream(stream::iter([Ok(half), Err(Cut)]));
    let mut response = response(reply, body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

fn response(reply: Reply, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = reply.status.try_into().expect("a status");
    *response.headers_mut() = reply.headers;
    response
}
