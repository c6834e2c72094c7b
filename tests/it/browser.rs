//! The sandbox's page in a real browser, played as two people.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::port::Port;
use crate::world::{ANA, CHRIS, ROOM, World};

/// On a machine that has much else to do, a browser takes its time.
const LIMIT: Duration = Duration::from_mins(1);

struct Driver {
    process: Child,
    port: Port,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Driver {
    fn start() -> Self {
        let port = Port::reserve();
        let process = Command::new("chromedriver")
            .arg(format!("--port={}", port.number()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: run `make test`, which installs what is missing");
        let started = Instant::now();
        while TcpStream::connect(port.address()).is_err() {
            assert!(started.elapsed() < LIMIT, "chromedriver does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, port }
    }

    async fn browser(&self) -> Client {
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1400,1000",
        ];
        let capabilities = json!({"goog:chromeOptions": {"args": args}});
        let serde_json::Value::Object(capabilities) = capabilities else { unreachable!() };
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        builder.connect(&format!("http://{}", self.port.address())).await.expect("a browser starts")
    }
}

/// Waits for an element, and gives its text.
async fn text(browser: &Client, css: &str) -> String {
    let started = Instant::now();
    loop {
        let element = browser.wait().at_most(LIMIT).for_element(Locator::Css(css)).await.expect(css);
        match element.text().await {
            Ok(text) => return text,
            // The page has drawn it anew meanwhile.
            Err(error) => assert!(started.elapsed() < LIMIT, "{css}: {error}"),
        }
    }
}

async fn press(browser: &Client, css: &str) {
    let started = Instant::now();
    loop {
        let element = browser.wait().at_most(LIMIT).for_element(Locator::Css(css)).await.expect(css);
        match element.click().await {
            Ok(()) => return,
            Err(error) => assert!(started.elapsed() < LIMIT, "{css}: {error}"),
        }
    }
}

/// Waits until an element says something.
async fn says(browser: &Client, css: &str, wanted: &str) {
    let started = Instant::now();
    loop {
        let found = browser.find_all(Locator::Css(css)).await.unwrap();
        let mut texts = Vec::new();
        for element in found {
            // An element can be replaced while it is read.
            texts.push(element.text().await.unwrap_or_default());
        }
        if texts.iter().any(|t| t.contains(wanted)) {
            return;
        }
        assert!(started.elapsed() < LIMIT, "{css} never says “{wanted}”: {texts:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_incident_is_played_in_the_page() {
    let w = World::start().await;
    w.incident().await;
    let driver = Driver::start();
    let browser = driver.browser().await;
    let root = w.card(ANA, "stolen AWS credential").unwrap()["ts"].as_str().unwrap().to_owned();
    let step = w.card(ANA, "· Deactivate access key").unwrap()["ts"].as_str().unwrap().to_owned();
    let card = |rest: &str| format!("#thread [data-ts='{step}'] {rest}");
    let go = |person: &str| format!("{}/#as={person}&c={ROOM}&t={root}", w.slack_url);

    browser.goto(&go(ANA)).await.unwrap();
    assert!(text(&browser, "#messages .b-header").await.contains("INC-1"));
    press(&browser, &card("[data-action-id='irp.request']")).await;
    press(&browser, &card("[data-action-id='irp.approve']")).await;
    press(&browser, "#confirm [data-confirm='yes']").await;
    says(&browser, "#thread .ephemeral", "You asked for this yourself").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);

    // Another person, on the same page, through its switcher.
    browser.goto("about:blank").await.unwrap();
    browser.goto(&go(CHRIS)).await.unwrap();
    press(&browser, &card("[data-action-id='irp.deny']")).await;
    says(&browser, "#modal h2", "Deny INC-1.1").await;
    press(&browser, "#modal button[type='button']").await;
    browser.wait().at_most(LIMIT).for_element(Locator::Css("#modal:not([open])")).await.unwrap();
    press(&browser, &card("[data-action-id='irp.approve']")).await;
    press(&browser, "#confirm [data-confirm='yes']").await;
    says(&browser, &card(""), "Done, and read back from AWS").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    browser.close().await.unwrap();
    w.end().await;
}
