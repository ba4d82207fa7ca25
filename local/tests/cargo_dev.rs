//! `cargo dev` as a process: its output, its errors, its end, and the data that it keeps.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

fn cargo_dev(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dev"));
    command.args(arguments).env_clear();
    command
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Asserts that the command fails with one line, and returns the line.
fn failure(command: &mut Command) -> String {
    let output = output(command);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{message}");
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with("cargo dev: "), "{message}");
    message
}

/// A running `cargo dev`, killed when dropped.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    url: String,
    /// The lines of its start.
    printed: Vec<String>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    fn start_with(arguments: &[&str], change: impl Fn(&mut Command)) -> Self {
        let mut command = cargo_dev(arguments);
        change(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let printed = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            printed
                .lines()
                .map_while(Result::ok)
                .take_while(|line| send.send(line.clone()).is_ok())
                .for_each(drop);
        });
        let mut running = Self { child, lines, url: String::new(), printed: Vec::new() };
        while !running.printed.last().is_some_and(|line| line.contains("Ctrl-C")) {
            running.printed.push(running.line(""));
        }
        let api = running.printed.iter().find(|line| line.starts_with("API ")).unwrap();
        running.url = api.split_whitespace().last().unwrap().to_owned();
        running
    }

    /// The next line that contains `part`.
    fn line(&self, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect(part);
            if line.contains(part) {
                return line;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = shared::platform::http_client::build(None)
            .unwrap()
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn token(arguments: &[&str]) -> String {
    let output = output(cargo_dev(&["token"]).args(arguments));
    assert!(output.status.success());
    let token = stdout(&output);
    assert_eq!(token.lines().count(), 1);
    token.trim().to_owned()
}

fn payment() -> Value {
    json!({"paymentMethod": {"type": "amazonpay", "amazonPayToken": "160583287597AMZN"}})
}

#[test]
fn a_taken_port_is_refused_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let message = failure(&mut cargo_dev(&["--port", &port]));

    assert!(message.contains(&port) && message.contains("--port"), "{message}");
}

#[test]
fn wrong_arguments_are_refused_in_one_line() {
    for wrong in [
        &["--prot", "1"][..],
        &["--port", "65536"],
        &["--host", "nowhere"],
        &["--adyen", "live"],
        &["--data", "/dev/null/x"],
        &["tokne"],
        &["token", "--amount", "EUR"],
        &["token", "--amount", "EUR:10.00"],
        &["token", "--reference", "a#b"],
        &["token", "--country", "Netherlands"],
        &["token", "--life", "soon"],
        &["webhook"],
        &["webhook", "AUTHORISATION", "--success", "maybe"],
        &["pay"],
        &["pay", "A", "--to", "nowhere"],
    ] {
        failure(&mut cargo_dev(wrong));
    }
}

#[test]
fn url_that_is_not_one_is_refused_before_the_start() {
    for wrong in ["nowhere", "127.0.0.1:8080/webhooks", "ftp://127.0.0.1/", "http://"] {
        for command in
            [&["--port", "0", "--webhooks-to", wrong][..], &["webhook", "REFUND", "--to", wrong]]
        {
            let message = failure(&mut cargo_dev(command));
            assert!(message.contains("expected a URL such as http://"), "{message}");
        }
    }
}

#[test]
fn adyens_test_environment_needs_a_key_and_an_account() {
    let both = failure(&mut cargo_dev(&["--port", "0", "--adyen", "test"]));
    assert!(both.contains("ADYEN_API_KEY and ADYEN_MERCHANT_ACCOUNT"), "{both}");

    let mut command = cargo_dev(&["--port", "0", "--adyen", "test"]);
    command.env("ADYEN_API_KEY", "secret-key").env("ADYEN_MERCHANT_ACCOUNT", " ");
    let account = failure(&mut command);
    assert!(account.contains("ADYEN_MERCHANT_ACCOUNT"), "{account}");
    assert!(!account.contains("secret-key"), "{account}");
}

#[test]
fn a_wrong_variable_is_refused_in_one_line() {
    let message = failure(cargo_dev(&["--port", "0"]).env("CAPTURE", "sometimes"));
    assert!(message.contains("CAPTURE"), "{message}");
    for wrong in ["zzz", "a=b=c", "info,zzz"] {
        let message = failure(cargo_dev(&["--port", "0"]).env("LOG_LEVEL", wrong));
        assert!(message.contains("LOG_LEVEL: expected error, warn"), "{message}");
    }
}

#[test]
fn help_succeeds() {
    for command in
        [&["--help"][..], &["token", "--help"], &["webhook", "--help"], &["pay", "--help"]]
    {
        let output = output(&mut cargo_dev(command));
        assert!(output.status.success());
        assert!(stdout(&output).contains("Usage: cargo dev"));
    }
}

#[test]
fn a_signal_ends_it_with_success() {
    for signal in ["-INT", "-TERM"] {
        let mut running = Running::start(&["--port", "0"]);
        running.signal(signal);
        assert_eq!(running.exit_code(), Some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_soon_even_with_a_call_that_hangs() {
    let mut running = Running::start(&["--port", "0"]);
    let url = format!("{}/payments", running.url);
    let token = token(&[]);
    let hanging = tokio::spawn(async move {
        let mut payment = payment();
        payment["paymentMethod"]["amazonPayToken"] = json!("1-TIMEOUT");
        let http = shared::platform::http_client::build(None).unwrap();
        drop(http.post(url).bearer_auth(token).json(&payment).send().await);
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let signalled = Instant::now();
    running.signal("-TERM");
    assert_eq!(running.exit_code(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(5));
    hanging.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_confirmed_by_its_webhook_and_every_call_is_printed() {
    let running = Running::start(&["--port", "0"]);
    let token = token(&["--reference", "A", "--country", "NL"]);

    let (status, methods) = running.call("POST", "/paymentMethods", &token, Some(json!({}))).await;
    assert_eq!((status, &methods["paymentMethods"][0]["type"]), (200, &json!("amazonpay")));
    let (status, paid) = running.call("POST", "/payments", &token, Some(payment())).await;
    assert_eq!((status, &paid["nextStep"]), (200, &json!("success")));

    running.line("POST /payments  200");
    running.line("POST /webhooks  200");
    let (_, order) = running.call("GET", "/orders/A", &token, None).await;
    assert_eq!(order["confirmed"], true);
    running.line("GET  /orders/A  200");
}

#[tokio::test(flavor = "multi_thread")]
async fn result_without_a_reference_waits_for_its_webhook() {
    let running = Running::start(&["--port", "0", "--no-merchant-reference"]);
    let token = token(&["--reference", "A", "--country", "NL"]);
    let mut body = payment();
    body["paymentMethod"]["amazonPayToken"] = json!("160583287597AMZN-3DS-REDIRECT");
    body["browserInfo"] = json!({
        "acceptHeader": "*/*", "colorDepth": 24, "javaEnabled": false, "language": "nl-NL",
        "screenHeight": 723, "screenWidth": 1536, "timeZoneOffset": 0, "userAgent": "Mozilla/5.0",
    });
    let (_, asked) = running.call("POST", "/payments", &token, Some(body)).await;
    let result = adyen_simulator::redirect_result(&asked["action"], "approved");
    let details = json!({"attempt": 1, "details": {"redirectResult": result}});
    let (status, waits) = running.call("POST", "/payments/details", &token, Some(details)).await;
    assert_eq!((status, &waits["nextStep"]), (202, &json!("wait")));

    running.line("POST /webhooks  200");
    let (_, order) = running.call("GET", "/orders/A", &token, None).await;
    assert_eq!((&order["status"], &order["confirmed"]), (&json!("authorised"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_can_be_sent_forged_and_repeated_by_hand() {
    let running = Running::start(&["--port", "0"]);
    let to = format!("{}/webhooks", running.url);
    let webhook = |arguments: &[&str]| {
        let output = output(cargo_dev(&["webhook", "--to", &to]).args(arguments));
        assert!(output.status.success());
        stdout(&output)
    };

    let thrice = webhook(&["AUTHORISATION", "--reference", "A", "--times", "3"]);
    assert_eq!(thrice.matches("-> 200 [accepted]").count(), 3, "{thrice}");
    let forged = webhook(&["REFUND", "--original", "P", "--bad-signature"]);
    assert!(forged.contains("-> 401"), "{forged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_sent_by_hand_is_about_the_payment_of_its_order() {
    let running = Running::start(&["--port", "0"]);
    let to = format!("{}/webhooks", running.url);
    let token = token(&["--reference", "A", "--country", "NL"]);
    let (_, paid) = running.call("POST", "/payments", &token, Some(payment())).await;
    let psp = paid["pspReference"].as_str().unwrap();
    let webhook = |event: &str| {
        let sent = output(&mut cargo_dev(&["webhook", event, "--reference", "A", "--to", &to]));
        assert!(sent.status.success());
        stdout(&sent)
    };

    let authorised = webhook("AUTHORISATION");
    let charged_back = webhook("CHARGEBACK");

    assert!(authorised.starts_with(&format!("AUTHORISATION {psp} -> 200")), "{authorised}");
    assert!(!charged_back.contains(psp), "a dispute has a name of its own: {charged_back}");
    let (_, order) = running.call("GET", "/orders/A", &token, None).await;
    assert_eq!(order["status"], "chargedBack");
}

#[tokio::test(flavor = "multi_thread")]
async fn voucher_is_paid_or_declined_by_hand() {
    let running = Running::start(&["--port", "0"]);
    for (reference, arguments, status) in
        [("PAID", &[][..], "authorised"), ("DECLINED", &["--declined"][..], "refused")]
    {
        let token = token(&["--reference", reference, "--country", "PT"]);
        let voucher = json!({"paymentMethod": {"type": "multibanco"}});
        running.call("POST", "/payments", &token, Some(voucher)).await;
        let pay = || {
            let mut command = cargo_dev(&["pay", reference, "--to", &running.url]);
            command.args(arguments);
            command
        };

        assert!(output(&mut pay()).status.success());

        running.line(&format!("AUTHORISATION {} {reference}", arguments.is_empty()));
        let (_, order) = running.call("GET", &format!("/orders/{reference}"), &token, None).await;
        assert_eq!(order["status"], status);
        let again = failure(&mut pay());
        assert!(again.contains("No payment of this order is pending"), "{again}");
    }
}

#[test]
fn webhook_that_nobody_answers_names_the_option() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = format!("http://{free}/webhooks");

    let message = failure(&mut cargo_dev(&["webhook", "AUTHORISATION", "--to", &to]));

    assert!(message.contains(&to) && message.contains("--to"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn line_of_a_rejected_request_names_code_and_field() {
    let running = Running::start(&["--port", "0"]);
    let token = token(&["--reference", "A", "--country", "NL"]);
    let mut body = payment();
    body["unheardOf"] = json!(1);

    running.call("POST", "/payments", &token, Some(body)).await;

    let line = running.line("POST /payments  422");
    assert!(line.ends_with("unknown_field unheardOf"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_order_survives_kill_9_with_its_data_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["--port", "0", "--data", data];
    let token = token(&["--reference", "A"]);

    let mut running = Running::start(&arguments);
    let (status, paid) = running.call("POST", "/payments", &token, Some(payment())).await;
    assert_eq!(status, 200);
    running.signal("-KILL");
    running.exit_code();

    let running = Running::start(&arguments);
    let (status, order) = running.call("GET", "/orders/A", &token, None).await;
    assert_eq!(status, 200);
    assert_eq!(order["status"], "authorised");
    assert_eq!(order["pspReference"], paid["pspReference"]);
    // The simulator still sends the webhook.
    running.line("POST /webhooks  200");
    let (_, again) = running.call("POST", "/payments", &token, Some(payment())).await;
    assert_eq!(again["pspReference"], paid["pspReference"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_keys_of_the_environment_mean_the_same_to_every_command() {
    const KEYS: &str = "the-newer-key-of-this-environment, the-former-key-of-this-environment";
    let with_keys = |command: &mut Command| {
        command.env("CHECKOUT_TOKEN_KEYS", KEYS).env("MERCHANT_TOKEN_KEYS", KEYS);
    };
    let running = Running::start_with(&["--port", "0"], with_keys);
    for arguments in [&["--reference", "A"][..], &["--merchant"]] {
        let mut command = cargo_dev(&["token"]);
        with_keys(&mut command);
        let minted = stdout(&output(command.args(arguments)));
        let (status, answer) = running.call("GET", "/orders/A", minted.trim(), None).await;
        assert_eq!((status, &answer["code"]), (404, &json!("order_not_found")));
    }
    // The page's backend mints with it too, and the development key is no longer accepted.
    let order = json!({"reference": "A", "amount": {"currency": "EUR", "value": 1000}});
    let http = shared::platform::http_client::build(None).unwrap();
    let minted = http.post(format!("{}/dev/token", running.url)).json(&order).send().await.unwrap();
    let minted: Value = minted.json().await.unwrap();
    let (status, _) =
        running.call("GET", "/orders/A", minted["token"].as_str().unwrap(), None).await;
    assert_eq!(status, 404);
    let (status, _) = running.call("GET", "/orders/A", &token(&["--reference", "A"]), None).await;
    assert_eq!(status, 401);
}

#[test]
fn token_keys_are_printed_unless_they_are_the_environments() {
    let running = Running::start_with(&["--port", "0"], |command| {
        command.env("MERCHANT_TOKEN_KEYS", "a-key-of-this-environment-that-is-secret");
    });
    let printed = running.printed.join("\n");
    assert!(
        printed.contains("development-only-checkout-token-key (CHECKOUT_TOKEN_KEYS)"),
        "{printed}"
    );
    assert!(!printed.contains("that-is-secret"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storefront_gets_its_tokens_and_the_way_to_amazon_pay() {
    let running = Running::start(&["--port", "0"]);
    let http = shared::platform::http_client::build(None).unwrap();
    let page = http.get(&running.url).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("Storefront"));

    let shop = http.get(format!("{}/dev/shop", running.url));
    let shop: Value = shop.send().await.unwrap().json().await.unwrap();
    let script = shop["script"].as_str().unwrap();
    assert_eq!(http.get(script).send().await.unwrap().status(), 200);
    assert!(shop["logos"].is_null(), "{shop}: nothing leaves this machine");

    let order = json!({"reference": "A", "amount": {"currency": "EUR", "value": 1000}, "countryCode": "NL"});
    let minted = http.post(format!("{}/dev/token", running.url)).json(&order).send().await.unwrap();
    let minted: Value = minted.json().await.unwrap();
    let token = minted["token"].as_str().unwrap();
    let (status, _) = running.call("POST", "/payments", token, Some(payment())).await;
    assert_eq!(status, 200);

    // For a shopper who returns in another browser.
    let again = http.get(format!("{}/dev/token/A", running.url)).send().await.unwrap();
    let again: Value = again.json().await.unwrap();
    assert_eq!(again["order"], order);
    let token = again["token"].as_str().unwrap();
    let (status, paid) = running.call("GET", "/orders/A", token, None).await;
    assert_eq!((status, &paid["status"]), (200, &json!("authorised")));
    let unknown = http.get(format!("{}/dev/token/B", running.url)).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
}
